"""How the admin looks: the theme's settings, navigation and colours. Plain data; `theme.py` has the code."""

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import reverse_lazy
from django.utils.module_loading import import_string
from django.utils.translation import gettext_lazy as _


def _asset(path: str) -> Callable[[HttpRequest], str]:
    return lambda request: static(path)


def _may(permission: str) -> Callable[[HttpRequest], bool]:
    return lambda request: import_string("integrations.permitting.anywhere")(request.user, permission)


def _page(title: Any, icon: str, url: str, permission: str) -> dict[str, Any]:
    return {"title": title, "icon": icon, "link": reverse_lazy(url), "permission": _may(permission)}


NAVIGATION: list[dict[str, Any]] = [
    {
        "items": [
            {"title": _("Home"), "icon": "home", "link": reverse_lazy("admin:index")},
            _page(_("Catalog"), "apps", "integrations:catalog", "integrations.view_integration"),
            _page(_("Credentials"), "key", "integrations:credentials", "integrations.enter_credential"),
            _page(_("My reviews"), "fact_check", "reviews:mine", "reviews.review_access"),
        ],
    },
    {
        "title": _("Provisioning"),
        "separator": True,
        "items": [
            _page(
                _("Integrations"),
                "hub",
                "admin:integrations_integration_changelist",
                "integrations.view_integration",
            ),
            _page(
                _("Jobs"),
                "sync",
                "admin:provisioning_provisioningjob_changelist",
                "provisioning.view_provisioningjob",
            ),
            _page(
                _("Accounts"), "badge", "admin:provisioning_account_changelist", "provisioning.view_account"
            ),
            _page(_("Keys"), "vpn_key", "admin:provisioning_key_changelist", "provisioning.view_key"),
            _page(
                _("Entitlements"),
                "folder_shared",
                "admin:provisioning_entitlement_changelist",
                "provisioning.view_entitlement",
            ),
        ],
    },
    {
        "title": _("Access"),
        "separator": True,
        "items": [
            _page(
                _("Access rules"),
                "rule",
                "admin:provisioning_accessrule_changelist",
                "provisioning.view_accessrule",
            ),
            _page(
                _("Group rules"),
                "group_work",
                "admin:provisioning_grouprule_changelist",
                "provisioning.view_grouprule",
            ),
            _page(
                _("Protected and ignored"),
                "shield",
                "admin:provisioning_mark_changelist",
                "provisioning.view_mark",
            ),
            _page(
                _("Exceptions"), "person_off", "admin:reviews_exclusion_changelist", "reviews.view_exclusion"
            ),
        ],
    },
    {
        "title": _("Directory"),
        "separator": True,
        "items": [
            _page(_("People"), "person", "admin:directory_person_changelist", "directory.view_person"),
            _page(_("Groups"), "groups", "admin:directory_group_changelist", "directory.view_group"),
            _page(_("Sources"), "input", "admin:directory_source_changelist", "directory.view_source"),
            _page(
                _("Conflicts"), "call_split", "admin:directory_conflict_changelist", "directory.view_conflict"
            ),
            _page(_("LDAP servers"), "dns", "admin:directory_ldapserver_changelist", "directory.view_source"),
        ],
    },
    {
        "title": _("Audit"),
        "separator": True,
        "items": [
            _page(
                _("History"),
                "manage_search",
                "admin:provisioning_action_changelist",
                "provisioning.view_action",
            ),
            _page(_("Ledger"), "receipt_long", "admin:ledger_entry_changelist", "ledger.view_entry"),
            _page(
                _("Evidence packs"),
                "inventory_2",
                "admin:evidence_evidencepack_changelist",
                "evidence.view_evidencepack",
            ),
            _page(
                _("Access reviews"),
                "rule_settings",
                "admin:reviews_campaign_changelist",
                "reviews.view_campaign",
            ),
            _page(
                _("Retention"),
                "auto_delete",
                "admin:retention_retention_changelist",
                "retention.view_retention",
            ),
        ],
    },
    {
        "title": _("Alarms"),
        "separator": True,
        "items": [
            _page(_("Alarms"), "notifications", "admin:alarms_alarm_changelist", "alarms.view_alarm"),
            _page(_("Channels"), "campaign", "admin:alarms_channel_changelist", "alarms.view_channel"),
            _page(_("Deliveries"), "send", "admin:alarms_delivery_changelist", "alarms.view_delivery"),
        ],
    },
    {
        "title": _("Staff"),
        "separator": True,
        "items": [
            _page(_("Users"), "manage_accounts", "admin:cakewalk_user_changelist", "cakewalk.view_user"),
            _page(_("Roles"), "admin_panel_settings", "admin:auth_group_changelist", "auth.view_group"),
        ],
    },
    {
        "separator": True,
        "items": [{"title": _("Help"), "icon": "help", "link": reverse_lazy("docs:index")}],
    },
]

UNFOLD: dict[str, Any] = {
    "SITE_TITLE": "Cakewalk",
    "SITE_HEADER": "Cakewalk",
    "SITE_SUBHEADER": _("Access, kept in step"),
    "SITE_URL": None,
    "SITE_ICON": _asset("cakewalk/logo.svg"),
    "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": _asset("cakewalk/logo.svg")}],
    "SHOW_VIEW_ON_SITE": False,
    "SHOW_HISTORY": True,
    "DASHBOARD_CALLBACK": "cakewalk.site.home",
    "STYLES": [
        _asset("cakewalk/colors.css"),
        _asset("cakewalk/cakewalk.css"),
        _asset("cakewalk/reach.css"),
        _asset("cakewalk/charts.css"),
        _asset("cakewalk/overview.css"),
        _asset("cakewalk/guide.css"),
        _asset("cakewalk/signing_in.css"),
    ],
    "SCRIPTS": [_asset("cakewalk/viewer.js"), _asset("cakewalk/cakewalk.js"), _asset("cakewalk/reach.js")],
    "ACCOUNT": {
        "navigation": [
            {"title": _("Preferences"), "link": reverse_lazy("preferences")},
            {"title": _("Change password"), "link": reverse_lazy("admin:password_change")},
            {"title": _("Second factor"), "link": reverse_lazy("second_factor")},
        ]
    },
    "SIDEBAR": {
        "show_search": False,
        "show_all_applications": False,
        "navigation": "cakewalk.site.navigation",
    },
    "GLOBAL_CALLBACK": "cakewalk.site.on_every_page",
}
