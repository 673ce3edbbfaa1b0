"""Formats of tokens that are known by their form alone, from the documentation of their issuers."""

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

# A token with fewer different characters is a placeholder, such as `AIzaXXXXXXXX`.
_LEAST_VARIETY: Final = 8


class TokenFormat(NamedTuple):
    """A format: the title of such a secret, the literal starts of a token, and the rest of it.

    A token ends where `rest` does, which is greedy.
    """

    title: str
    starts: tuple[str, ...]
    rest: str

    @property
    def pattern(self) -> str:
        """The regular expression for a token."""
        starts = "|".join(map(re.escape, self.starts))
        return f"(?:{starts})(?:{self.rest})"

    def find(self, text: str) -> Iterator[tuple[int, int]]:
        """Yield the start and end of each token in the text, in linear time."""
        for start in self.starts:
            at = text.find(start)
            if at < 0:
                continue
            rest = re.compile(self.rest)  # cached
            while at >= 0:
                end = at + len(start)
                is_inside = at > 0 and text[at - 1].isalnum()
                if not is_inside and (match := rest.match(text, end)):
                    end = match.end()
                    is_part = text[end : end + 1].isalnum()
                    if not is_part and len(set(text[at:end])) >= _LEAST_VARIETY:
                        yield at, end
                at = text.find(start, end)


def _starts(before: str, *middles: str, after: str = "") -> tuple[str, ...]:
    return tuple(f"{before}{middle}{after}" for middle in middles)


FORMATS: Final = (
    TokenFormat("AWS Access Key", ("A3T", "ABIA", "ACCA", "AKIA", "ASIA"), "[A-Z0-9]{16,}"),
    TokenFormat("GitHub Token", _starts("gh", *"oprsu", after="_"), r"\w{36,}"),
    TokenFormat("GitHub Token", ("github_pat_",), r"\w{22,}"),
    TokenFormat(
        "GitLab Token",
        _starts(
            "gl",
            *("agent", "cbt", "dt", "ffct", "ft", "imt", "oas", "pat", "ptt", "rt", "rtr", "soat"),
            after="-",
        ),
        r"[\w-]{20,}(?:\.[\w-]{2,40}){0,2}",
    ),
    TokenFormat("GitLab Token", ("GR1348941",), r"[\w-]{20,}"),
    TokenFormat("Slack Token", ("xox",), r"[a-z](?:\.xox[a-z])?-[\w-]{10,}"),
    TokenFormat("Slack Token", ("xapp-",), r"[\w-]{20,}"),
    TokenFormat("Stripe Access Key", ("sk_live_", "sk_test_", "rk_live_", "rk_test_"), r"\w{16,}"),
    TokenFormat("Stripe Webhook Secret", ("whsec_",), r"[\w+/]{16,}={0,2}"),
    TokenFormat("Square OAuth Secret", ("sq0",), r"[a-z]{3}-[\w-]{22,}"),
    TokenFormat("Square Access Token", ("EAAA",), r"[\w-]{60}"),
    TokenFormat("NPM tokens", ("npm_",), "[A-Za-z0-9]{36,}"),
    TokenFormat("PyPI Token", ("pypi-AgE",), r"[\w-]{16,}"),
    TokenFormat("RubyGems API Key", ("rubygems_",), "[a-f0-9]{48}"),
    TokenFormat("Clojars Token", ("CLOJARS_",), "[a-z0-9]{60}"),
    TokenFormat("Docker Hub Token", ("dckr_pat_", "dckr_oat_"), r"[\w-]{27,}"),
    TokenFormat("Docker Swarm Token", ("SWMTKN-1-",), "[a-z0-9]{30,}-[a-z0-9]{20,}"),
    TokenFormat("SendGrid API Key", ("SG.",), r"[\w-]{16,}\.[\w-]{16,}"),
    TokenFormat("Brevo API Key", ("xkeysib-", "xsmtpsib-"), "[a-f0-9]{64}-[A-Za-z0-9]{16}"),
    TokenFormat("Google API Key", ("AIza",), r"[\w-]{35}"),
    TokenFormat("Google OAuth Access Token", ("ya29.",), r"[\w.-]{20,}"),
    TokenFormat("Google OAuth Client Secret", ("GOCSPX-",), r"[\w-]{20,}"),
    TokenFormat("Anthropic API Key", ("sk-ant-",), r"[\w-]{24,}"),
    TokenFormat("OpenRouter API Key", ("sk-or-v1-",), "[a-f0-9]{64}"),
    TokenFormat("OpenAI Token", ("sk-",), r"(?=[\w-]{0,80}[A-Z])(?=[\w-]{0,80}[0-9])[\w-]{20,}"),
    TokenFormat("Hugging Face Token", ("hf_", "api_org_"), "[A-Za-z0-9]{30,}"),
    TokenFormat("Groq API Key", ("gsk_",), "[A-Za-z0-9]{48,}"),
    TokenFormat("xAI API Key", ("xai-",), "[A-Za-z0-9]{70,}"),
    TokenFormat("Perplexity API Key", ("pplx-",), "[A-Za-z0-9]{40,}"),
    TokenFormat("Replicate Token", ("r8_",), "[A-Za-z0-9]{37,}"),
    TokenFormat("LangSmith API Key", ("lsv2_pt_", "lsv2_sk_"), "[a-f0-9]{32}_[a-f0-9]{10}"),
    TokenFormat("DigitalOcean Token", _starts("do", *"opr", after="_v1_"), "[a-f0-9]{32,}"),
    TokenFormat("Shopify Token", ("shp",), "[a-z]{2}_[a-fA-F0-9]{32}"),
    TokenFormat("Databricks Token", ("dapi",), "[a-f0-9]{32}(?:-[0-9])?"),
    TokenFormat("HashiCorp Vault Token", ("hvs.", "hvb.", "hvr."), r"[\w-]{24,}"),
    TokenFormat(
        "Doppler Token",
        _starts("dp.", "pt", "st", "ct", "sa", "scim", "audit", after="."),
        r"(?:[a-z0-9_-]{2,35}\.)?[A-Za-z0-9]{40,44}",
    ),
    TokenFormat("Pulumi Token", ("pul-",), "[a-f0-9]{40}"),
    TokenFormat(
        "PlanetScale Token", _starts("pscale_", "tkn", "pw", "oauth", after="_"), r"[\w.=-]{32,}"
    ),
    TokenFormat("Supabase Key", ("sbp_",), "[a-f0-9]{40}"),
    TokenFormat("Supabase Key", ("sb_secret_",), r"[\w-]{28,}"),
    TokenFormat("Linear API Key", ("lin_api_", "lin_oauth_"), "[A-Za-z0-9]{40,}"),
    TokenFormat("Notion Token", ("ntn_",), "[A-Za-z0-9]{40,}"),
    TokenFormat("Notion Token", ("secret_",), "[A-Za-z0-9]{43}"),
    TokenFormat("Grafana Token", ("glsa_",), "[A-Za-z0-9]{32}_[a-f0-9]{8}"),
    TokenFormat("Grafana Token", ("glc_",), "[A-Za-z0-9+/]{32,}={0,2}"),
    TokenFormat("Sentry Token", ("sntryu_",), "[a-f0-9]{64}"),
    TokenFormat("Sentry Token", ("sntrys_eyJ",), r"[\w+/=-]{40,}"),
    TokenFormat("Atlassian Token", ("ATATT3",), r"[\w=-]{60,}"),
    TokenFormat("Atlassian Token", ("ATBB",), "[A-Za-z0-9]{32}"),
    TokenFormat("Postman API Key", ("PMAK-",), "[a-f0-9]{24}-[a-f0-9]{34}"),
    TokenFormat("New Relic API Key", ("NRAK-",), "[A-Z0-9]{27}"),
    TokenFormat("Dynatrace Token", ("dt0c01.", "dt0s16."), r"[A-Z0-9]{24}\.[A-Z0-9]{64}"),
    TokenFormat("Netlify Token", ("nfp_",), "[A-Za-z0-9]{36,}"),
    TokenFormat("Fly.io Token", ("fo1_",), r"[\w-]{43}"),
    TokenFormat("Fly.io Token", ("fm1_", "fm2_"), r"[\w+/]{100,}={0,3}"),
    TokenFormat("Heroku API Key", ("HRKU-",), r"[\w-]{36,}"),
    TokenFormat("Figma Token", ("figd_", "figo_"), r"[\w-]{40,}"),
    TokenFormat("Airtable Token", ("pat",), r"[A-Za-z0-9]{14}\.[a-f0-9]{64}"),
    TokenFormat("Mapbox Token", ("sk.eyJ",), r"[\w-]{20,300}\.[\w-]{20,}"),
    TokenFormat("Mailgun API Key", ("key-",), "[a-f0-9]{32}"),
    TokenFormat("SonarQube Token", ("squ_", "sqp_", "sqa_"), "[a-f0-9]{40}"),
    TokenFormat("1Password Service Account Token", ("ops_eyJ",), r"[\w+/]{200,}={0,3}"),
    TokenFormat("Alibaba Cloud Access Key", ("LTAI",), "[A-Za-z0-9]{12,24}"),
    TokenFormat("age Secret Key", ("AGE-SECRET-KEY-",), "[A-Z0-9]{50,}"),
    TokenFormat(
        "Discord Webhook",
        _starts("https://discord", ".com", "app.com", after="/api/webhooks/"),
        r"[0-9]{16,20}/[\w-]{40,}",
    ),
    TokenFormat(
        "Slack Webhook", ("https://hooks.slack.com/services/",), r"T\w{6,}/B\w{6,}/\w{16,}"
    ),
)
"""The formats with literal starts, which make a search fast."""

OTHER_FORMATS: Final = (
    "AKC[A-Za-z0-9]{13,}",  # Artifactory
    "(?:AC|SK)[a-z0-9]{32}(?![A-Za-z0-9])",  # Twilio
    r"[0-9a-z]{32}-us[0-9]{1,2}(?![0-9])",  # Mailchimp
    r"[0-9]{8,10}:[\w-]{35}",  # Telegram
    r"[MNO][\w-]{23,27}\.[\w-]{6}\.[\w-]{27,}",  # Discord
    r"eyJ[\w-]{8,300}\.[\w-]{4,}(?:\.[\w-]*[\w-])?",  # JSON Web Token
)
"""Patterns of tokens without a literal start, and of tokens that scanners find without help."""
