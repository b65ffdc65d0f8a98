"""Single sign-on by OpenID Connect: mozilla-django-oidc's code flow, with every check of ours named."""
