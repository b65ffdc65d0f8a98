"""Why somebody does not get in by single sign-on, and what the page says then."""

from enum import Enum

from django.utils.translation import gettext_lazy as _


class Problem(Enum):
    """The value is what the ledger says."""

    UNREACHABLE = "the provider cannot be reached"
    MISCONFIGURED = "the provider's configuration cannot be used"
    DENIED = "the provider refused"
    STATE = "an answer to nothing that was asked"
    EXPIRED = "the token has expired"
    AUDIENCE = "the token is for another application"
    SIGNATURE = "the token is not signed by the provider"
    TOKEN = "the token cannot be used"  # noqa: S105 - no secret
    CLAIMS = "a claim is missing that names the user"
    TAKEN = "the name belongs to a local user"
    NO_ROLE = "no group of theirs has a role here"
    UNKNOWN_ROLE = "OIDC_ROLES names a role that does not exist"
    INACTIVE = "the user is inactive"
    SOMEBODY_ELSE = "the provider knows them as somebody else"
    NOT_ANEW = "the provider did not ask them anew"

    @property
    def says(self) -> str:
        return str(SAYS[self])


class NotSignedIn(Exception):
    """`detail`: for the log and the ledger; never a token, nor anything else that is secret."""

    def __init__(self, problem: Problem, detail: str = "") -> None:
        super().__init__(f"{problem.value}: {detail}" if detail else problem.value)
        self.problem, self.detail = problem, detail


SAYS = {
    Problem.UNREACHABLE: _("The provider does not answer. Try again in a while, or ask whoever runs it."),
    Problem.MISCONFIGURED: _("The provider answers in a way that Cakewalk cannot use. Its log says more."),
    Problem.DENIED: _("The provider did not let you in, or you have cancelled."),
    Problem.STATE: _("This answer belongs to no sign-in that was begun in this browser of late. Begin anew."),
    Problem.EXPIRED: _("What the provider said of you has expired. Are the clocks of both machines right?"),
    Problem.AUDIENCE: _("What the provider said of you is meant for another application."),
    Problem.SIGNATURE: _("What came is not signed by the provider. It was not believed."),
    Problem.TOKEN: _("What came from the provider cannot be used. It was not believed."),
    Problem.CLAIMS: _(
        "The provider does not say how you are called here. Whoever runs Cakewalk can mend that."
    ),
    Problem.TAKEN: _(
        "There is a user of your name here already. If that is you, sign in with your password and link both "
        "on Preferences."
    ),
    Problem.NO_ROLE: _("None of your groups has a role here. Ask an administrator if one should."),
    Problem.UNKNOWN_ROLE: _(
        "Your groups lead to a role that does not exist. Whoever runs Cakewalk can mend it."
    ),
    Problem.INACTIVE: _("You are set inactive here."),
    Problem.SOMEBODY_ELSE: _("The provider knows you as somebody else than you are here."),
    Problem.NOT_ANEW: _("The provider did not ask you anew who you are."),
}
