"""The kinds of secrets that scanners find: their titles, and what to do about each.

Several scanners find the same kinds, each under ids of its own. The id of a kind is that of
detect-secrets or of the detectors that scanagg adds to it, else the one that most scanners use.
"""

import re
from collections.abc import Mapping
from functools import cache
from typing import Final, NamedTuple

from msgspec.structs import replace

from scanagg.core.text import one_line
from scanagg.model import Category, Confidence, Location, Observation, Rule, Secret


class _Kind(NamedTuple):
    """A kind of secret, in parts of sentences.

    The texts are "Anyone who can read this file can `gives`." and "Treat it as leaked: `revoke`."
    `advice` replaces the second, and fits a value that may be no secret. Without `bad` and `good`,
    the bad example assigns a value that begins with `start` to the variable `name`, and the good
    one reads it from the environment. `page` describes how to revoke the secret. `also` are the ids
    that scanners have for the kind.
    """

    title: str
    gives: str
    revoke: str
    name: str
    start: str = ""
    page: str = ""
    also: tuple[str, ...] = ()
    advice: str = ""
    bad: str = ""
    good: str = ""


_KINDS: Final[Mapping[str, _Kind]] = {
    "1password-service-account-token": _Kind(
        "1Password service account token",
        "read the vaults that the service account can access",
        "rotate or revoke the token on the service account's page at 1Password",
        "OP_SERVICE_ACCOUNT_TOKEN",
        "ops_",
        page="https://developer.1password.com/docs/service-accounts/manage-service-accounts/",
    ),
    "age-secret-key": _Kind(
        "Secret key of age",
        "decrypt every file that is encrypted for the key",
        (
            "make a new key with age-keygen, encrypt the files for it, and change the secrets "
            "in them"
        ),
        "AGE_KEY",
        "AGE-",
    ),
    "airtable-token": _Kind(
        "Airtable token",
        "read and change the bases of the token, within its scopes",
        "delete or regenerate the token in Airtable's Builder hub",
        "AIRTABLE_TOKEN",
        "pat",
    ),
    "alibaba-cloud-access-key": _Kind(
        "Alibaba Cloud access key",
        "use Alibaba Cloud with the permissions of the key's user",
        "disable and delete the key in the RAM console",
        "ALIBABA_CLOUD_ACCESS_KEY_ID",
        "LTAI",
        also=("alibaba-access-key-id", "alibaba-secret-key"),
    ),
    "anthropic-api-key": _Kind(
        "Anthropic API key",
        "use the API at the account's expense",
        "delete the key in the Anthropic Console under API keys",
        "ANTHROPIC_API_KEY",
        "sk-ant-",
        also=("anthropic-admin-api-key",),
    ),
    "artifactory-credentials": _Kind(
        "Artifactory credentials",
        "read and publish packages in Artifactory",
        (
            "revoke the token in the JFrog Platform under User Management > Access Tokens, or "
            "the API key in the user's profile"
        ),
        "ARTIFACTORY_TOKEN",
        page="https://jfrog.com/help/r/jfrog-platform-administration-documentation/viewing-and-revoking-tokens",
        also=("artifactory-api-key", "artifactory-reference-token"),
    ),
    "atlassian-token": _Kind(
        "Atlassian API token",
        "use Jira, Confluence and Bitbucket as the token's owner",
        "revoke the token in the Atlassian account under Security > API tokens",
        "ATLASSIAN_TOKEN",
        "ATATT",
        page="https://support.atlassian.com/atlassian-account/docs/manage-api-tokens-for-your-atlassian-account/",
        also=("atlassian-api-token",),
    ),
    "authorization-header": _Kind(
        "Secret in an Authorization header",
        "send requests to the service in the name of its user",
        "revoke the token, or change the password, at the service that accepts the header",
        "API_TOKEN",
        also=("curl-auth-header",),
        bad='headers = {"Authorization": "Bearer ..."}',
        good='headers = {"Authorization": f"Bearer {os.environ[\'API_TOKEN\']}"}',
    ),
    "aws-access-key": _Kind(
        "AWS access key",
        "use the AWS account with the permissions of the key's user",
        "deactivate and delete the key in the IAM console, or with aws iam delete-access-key",
        "AWS_ACCESS_KEY_ID",
        "AKIA",
        page="https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_access-keys.html",
        also=("aws-access-key-id", "aws-access-token", "aws-secret-access-key"),
    ),
    "azure-storage-account-access-key": _Kind(
        "Azure storage account key",
        "read, change and delete everything in the storage account",
        (
            "rotate the key in the Azure portal under Access keys, or with az storage account "
            "keys renew"
        ),
        "AZURE_STORAGE_KEY",
        page="https://learn.microsoft.com/azure/storage/common/storage-account-keys-manage",
        also=("azure-storage-account-key",),
    ),
    "base64-high-entropy-string": _Kind(
        "High-entropy string (Base64)",
        "copy the string, which looks random enough to be a key or a token",
        "",
        "SIGNING_KEY",
        advice=(
            "Find out what the string opens. If it is a secret, revoke or change it there, "
            "and load the new one from the environment or a secret manager."
        ),
    ),
    "basic-auth-credentials": _Kind(
        "Password in a URL",
        "log in to the server in the URL",
        "change the password of that user",
        "DATABASE_URL",
        "postgresql://shop:",
    ),
    "brevo-api-key": _Kind(
        "Brevo API key",
        "send mail from the account, and read its contacts",
        "delete the key in Brevo under SMTP & API",
        "BREVO_API_KEY",
        "xkeysib-",
        also=("sendinblue-api-token",),
    ),
    "clojars-token": _Kind(
        "Clojars deploy token",
        "publish libraries in the name of the token's owner",
        "disable the token on the deploy tokens page of Clojars",
        "CLOJARS_TOKEN",
        "CLOJARS_",
        also=("clojars-api-token",),
    ),
    "cloudant-credentials": _Kind(
        "Cloudant credentials",
        "read and change the databases",
        "delete the service credential of the Cloudant instance in the IBM Cloud console",
        "CLOUDANT_PASSWORD",
    ),
    "databricks-token": _Kind(
        "Databricks access token",
        "read data and run code in the workspace as the token's owner",
        "revoke the token in Databricks under Settings > Developer > Access tokens",
        "DATABRICKS_TOKEN",
        "dapi",
        page="https://docs.databricks.com/aws/en/dev-tools/auth/pat",
        also=("databricks-api-token",),
    ),
    "default-password": _Kind(
        "Default password",
        "log in wherever nobody has changed the password",
        "",
        "ADMIN_PASSWORD",
        advice=(
            "Ask for a password at the first start, or load it from the environment, and set "
            "another one in every installation."
        ),
        bad='ADMIN_PASSWORD = "admin"',
    ),
    "digitalocean-token": _Kind(
        "DigitalOcean token",
        "manage the servers and data of the account",
        "delete the token in the DigitalOcean control panel under API",
        "DIGITALOCEAN_TOKEN",
        "dop_v1_",
        page="https://docs.digitalocean.com/reference/api/create-personal-access-token/",
        also=(
            *("digitalocean-access-token", "digitalocean-pat"),
            "digitalocean-refresh-token",
        ),
    ),
    "discord-bot-token": _Kind(
        "Discord bot token",
        "act as the bot in every server that it has joined",
        "reset the token on the bot's page in the Discord Developer Portal",
        "DISCORD_TOKEN",
    ),
    "discord-webhook": _Kind(
        "Discord webhook",
        "post messages in the webhook's channel",
        "delete the webhook in the channel's settings under Integrations",
        "DISCORD_WEBHOOK",
        "https://discord.com/api/",
    ),
    "docker-hub-token": _Kind(
        "Docker Hub token",
        "pull and push images as the token's owner",
        "delete the token in Docker under Account settings > Personal access tokens",
        "DOCKER_TOKEN",
        "dckr_",
        page="https://docs.docker.com/security/access-tokens/",
        also=("dockerhub-organization-access-token", "dockerhub-personal-access-token"),
    ),
    "docker-swarm-token": _Kind(
        "Docker Swarm join token",
        "join machines to the swarm",
        "rotate the token with docker swarm join-token --rotate, for workers and for managers",
        "SWARM_TOKEN",
        "SWMTKN-",
        page="https://docs.docker.com/reference/cli/docker/swarm/join-token/",
        also=("docker-swarm-join-token",),
    ),
    "dockerconfig-secret": _Kind(
        "Registry credentials of Docker",
        "pull images, and perhaps push them, at the registry",
        "revoke the token, or change the password, at the registry",
        "DOCKER_AUTH_CONFIG",
    ),
    "doppler-token": _Kind(
        "Doppler token",
        "read the secrets that the token can access",
        "revoke the token in Doppler's dashboard, and change the secrets",
        "DOPPLER_TOKEN",
        "dp.",
        page="https://docs.doppler.com/docs/service-tokens",
        also=("doppler-api-token",),
    ),
    "dynatrace-token": _Kind(
        "Dynatrace token",
        "read and change monitoring data, within the token's scopes",
        "delete the token in Dynatrace under Access Tokens",
        "DYNATRACE_TOKEN",
        "dt0c01.",
        also=("dynatrace-api-token",),
    ),
    "figma-token": _Kind(
        "Figma token",
        "read the files of the token's owner",
        "revoke the token in Figma's settings under Security",
        "FIGMA_TOKEN",
        "figd_",
        also=("figma-personal-access-header-token", "figma-personal-access-token"),
    ),
    "fly-io-token": _Kind(
        "Fly.io token",
        "deploy and change the apps of the token",
        "revoke the token with fly tokens revoke",
        "FLY_API_TOKEN",
        "fm2_",
        page="https://fly.io/docs/security/tokens/",
        also=("flyio-access-token",),
    ),
    "gcp-service-account": _Kind(
        "Google Cloud service account key",
        "use Google Cloud with the permissions of the service account",
        (
            "delete the key in the Google Cloud console, or with gcloud iam service-accounts "
            "keys delete"
        ),
        "GOOGLE_CREDENTIALS",
        page="https://cloud.google.com/iam/docs/keys-create-delete",
    ),
    "github-token": _Kind(
        "GitHub token",
        "use GitHub as the token's owner, within its scopes: read private code, or push to it",
        (
            "delete the token in GitHub under Settings > Developer settings, or revoke the "
            "app's authorisation"
        ),
        "GITHUB_TOKEN",
        "ghp_",
        page="https://docs.github.com/en/authentication/keeping-your-account-and-data-secure/managing-your-personal-access-tokens",
        also=(
            *("github-app-token", "github-fine-grained-pat", "github-oauth"),
            *("github-pat", "github-refresh-token"),
        ),
    ),
    "gitlab-token": _Kind(
        "GitLab token",
        "use GitLab as the token's owner, within its scopes: read private code, or push to it",
        "revoke the token in GitLab under Access tokens of the user, the project or the group",
        "GITLAB_TOKEN",
        "glpat-",
        page="https://docs.gitlab.com/user/profile/personal_access_tokens/",
        also=(
            *("gitlab-cicd-job-token", "gitlab-deploy-token", "gitlab-feed-token"),
            *("gitlab-kubernetes-agent-token", "gitlab-oauth-app-secret", "gitlab-pat"),
            *("gitlab-pat-routable", "gitlab-pat-routable-versioned", "gitlab-ptt"),
            *("gitlab-rrt", "gitlab-runner-authentication-token"),
            *("gitlab-runner-authentication-token-routable", "gitlab-scim-token"),
        ),
    ),
    "google-api-key": _Kind(
        "Google API key",
        "use Google's APIs at the project's expense",
        (
            "delete the key in the Google Cloud console under Credentials, or restrict it if "
            "it is meant for browsers or apps"
        ),
        "GOOGLE_API_KEY",
        "AIza",
        page="https://cloud.google.com/docs/authentication/api-keys",
        also=("gcp-api-key", "gcp-gemini-api"),
    ),
    "google-oauth-access-token": _Kind(
        "Google OAuth access token",
        "use Google's APIs as the token's user until it expires",
        "revoke the token at Google's OAuth 2.0 endpoint for revocation",
        "GOOGLE_TOKEN",
        "ya29.",
        page="https://developers.google.com/identity/protocols/oauth2/web-server#tokenrevoke",
    ),
    "google-oauth-client-secret": _Kind(
        "Google OAuth client secret",
        "ask users for access in the name of the application",
        "add a new secret in the Google Cloud console under Credentials, and disable the old one",
        "GOOGLE_CLIENT_SECRET",
        "GOCSPX-",
        page="https://support.google.com/cloud/answer/15549257",
    ),
    "grafana-token": _Kind(
        "Grafana token",
        "read and change dashboards and data sources, with the token's role",
        "delete the token on its service account's page in Grafana",
        "GRAFANA_TOKEN",
        "glsa_",
        page="https://grafana.com/docs/grafana/latest/administration/service-accounts/",
        also=(
            *("grafana-api-key", "grafana-api-token", "grafana-cloud-api-token"),
            "grafana-service-account-token",
        ),
    ),
    "groq-api-key": _Kind(
        "Groq API key",
        "use the API at the account's expense",
        "delete the key in the Groq console under API keys",
        "GROQ_API_KEY",
        "gsk_",
    ),
    "hashicorp-tf-api-token": _Kind(
        "HCP Terraform token",
        "read state, and change infrastructure, with the token's permissions",
        (
            "delete the token in HCP Terraform under Tokens of the user, the team or the "
            "organisation"
        ),
        "TF_TOKEN",
        page="https://developer.hashicorp.com/terraform/cloud-docs/users-teams-organizations/api-tokens",
    ),
    "hashicorp-vault-token": _Kind(
        "HashiCorp Vault token",
        "read the secrets that the token's policies allow",
        "revoke the token with vault token revoke",
        "VAULT_TOKEN",
        "hvs.",
        page="https://developer.hashicorp.com/vault/docs/commands/token/revoke",
        also=("vault-batch-token", "vault-service-token"),
    ),
    "heroku-api-key": _Kind(
        "Heroku API key",
        "deploy and change the apps of the account",
        "regenerate the key in Heroku's account settings, or run heroku authorizations:revoke",
        "HEROKU_API_KEY",
        page="https://devcenter.heroku.com/articles/authentication",
        also=("heroku-api-key-v2",),
    ),
    "hex-high-entropy-string": _Kind(
        "High-entropy string (hex)",
        "copy the string, which looks random enough to be a key or a token",
        "",
        "SIGNING_KEY",
        advice=(
            "Find out what the string opens. If it is a secret, revoke or change it there, "
            "and load the new one from the environment or a secret manager."
        ),
    ),
    "hugging-face-token": _Kind(
        "Hugging Face token",
        "read private models and data, or change them, as the token's owner",
        "delete or refresh the token on Hugging Face under Settings > Access Tokens",
        "HF_TOKEN",
        "hf_",
        page="https://huggingface.co/docs/hub/security-tokens",
        also=(
            *("hugging-face-access-token", "huggingface-access-token"),
            "huggingface-organization-api-token",
        ),
    ),
    "ibm-cloud-iam-key": _Kind(
        "IBM Cloud API key",
        "use IBM Cloud with the permissions of the key's user or service",
        "delete the key in the IBM Cloud console under Manage > Access (IAM) > API keys",
        "IBMCLOUD_API_KEY",
        page="https://cloud.ibm.com/docs/account?topic=account-userapikey",
        also=("ibm-cloud-user-api-key",),
    ),
    "ibm-cos-hmac-credentials": _Kind(
        "IBM Cloud Object Storage credentials",
        "read and change the objects in the buckets",
        "delete the service credential of the Object Storage instance in the IBM Cloud console",
        "COS_ACCESS_KEY",
        page="https://cloud.ibm.com/docs/cloud-object-storage?topic=cloud-object-storage-uhc-hmac-credentials-main",
    ),
    "json-web-token": _Kind(
        "JSON Web Token",
        "act as the user in the token until it expires",
        (
            "end its session at the service that issued it; if it does not expire, rotate the "
            "key that signs it"
        ),
        "SESSION_TOKEN",
        "eyJ",
        page="https://datatracker.ietf.org/doc/html/rfc8725",
        also=("jwt", "jwt-base64", "jwt-token"),
    ),
    "langsmith-api-key": _Kind(
        "LangSmith API key",
        "read the traces and prompts of the workspace",
        "delete the key in LangSmith under Settings > API Keys",
        "LANGSMITH_API_KEY",
        "lsv2_",
        also=(
            "langchain-langsmith-personal-access-token",
            "langchain-langsmith-service-key",
        ),
    ),
    "linear-api-key": _Kind(
        "Linear API key",
        "read and change issues as the key's owner",
        "revoke the key in Linear under Settings > Security & access",
        "LINEAR_API_KEY",
        "lin_api_",
        also=("linear-api-token",),
    ),
    "mailchimp-access-key": _Kind(
        "Mailchimp API key",
        "read the audience, and send campaigns from the account",
        "revoke the key in Mailchimp under Extras > API keys",
        "MAILCHIMP_API_KEY",
        page="https://mailchimp.com/help/about-api-keys/",
        also=("mailchimp-api-key",),
    ),
    "mailgun-api-key": _Kind(
        "Mailgun API key",
        "send mail from the account's domains, and read its logs",
        "delete the key in Mailgun under API Security",
        "MAILGUN_API_KEY",
        "key-",
        also=("mailgun-private-api-token", "mailgun-token"),
    ),
    "mapbox-token": _Kind(
        "Mapbox token",
        "use Mapbox at the account's expense",
        "delete or rotate the token on the access tokens page of the Mapbox account",
        "MAPBOX_TOKEN",
        "sk.",
        page="https://docs.mapbox.com/accounts/guides/tokens/",
        also=("mapbox-api-token",),
    ),
    "netlify-token": _Kind(
        "Netlify token",
        "deploy and change the sites of the token's owner",
        "revoke the token in Netlify under User settings > Applications",
        "NETLIFY_AUTH_TOKEN",
        "nfp_",
        also=("netlify-access-token",),
    ),
    "new-relic-api-key": _Kind(
        "New Relic API key",
        "read and change monitoring data as the key's owner",
        "delete the key in New Relic under API keys",
        "NEW_RELIC_API_KEY",
        "NRAK-",
        page="https://docs.newrelic.com/docs/apis/intro-apis/new-relic-api-keys/",
        also=("new-relic-user-api-key",),
    ),
    "notion-token": _Kind(
        "Notion token",
        "read and change the pages that are shared with the integration",
        "refresh the secret on the integration's page in Notion",
        "NOTION_TOKEN",
        "ntn_",
        also=("notion-api-token",),
    ),
    "npm-tokens": _Kind(
        "npm access token",
        "read private packages, or publish releases, as the token's owner",
        "revoke the token with npm token revoke",
        "NPM_TOKEN",
        "npm_",
        also=("npm-access-token",),
    ),
    "openai-token": _Kind(
        "OpenAI API key",
        "use the API at the account's expense",
        "delete the key on the API keys page of the OpenAI platform",
        "OPENAI_API_KEY",
        "sk-",
        also=("openai-api-key",),
    ),
    "openrouter-api-key": _Kind(
        "OpenRouter API key",
        "use the API at the account's expense",
        "delete the key in OpenRouter's settings under Keys",
        "OPENROUTER_API_KEY",
        "sk-or-",
    ),
    "password-in-a-connection-string": _Kind(
        "Password in a connection string",
        "log in to the server in the connection string",
        "change the password of that user",
        "DATABASE_URL",
        "redis://:",
        also=("mongodb-connection-string",),
    ),
    "password-in-sql": _Kind(
        "Password in SQL",
        "log in to the database as this user",
        "change the password of the user with ALTER USER",
        "SHOP_PASSWORD",
        bad="CREATE USER shop PASSWORD '...';",
        good="CREATE USER shop PASSWORD :'password';",
    ),
    "perplexity-api-key": _Kind(
        "Perplexity API key",
        "use the API at the account's expense",
        "delete the key in Perplexity's API portal",
        "PERPLEXITY_API_KEY",
        "pplx-",
    ),
    "planetscale-token": _Kind(
        "PlanetScale token",
        "read and change the databases of the token",
        "delete the token or password in PlanetScale's settings",
        "PLANETSCALE_TOKEN",
        "pscale_",
        also=("planetscale-api-token", "planetscale-oauth-token", "planetscale-password"),
    ),
    "postman-api-key": _Kind(
        "Postman API key",
        "read and change the workspaces of the key's owner, with the secrets in them",
        "delete the key in Postman's settings under API keys",
        "POSTMAN_API_KEY",
        "PMAK-",
        also=("postman-api-token",),
    ),
    "private-key": _Kind(
        "Private key",
        "log in, sign or decrypt in the name of the key's owner",
        (
            "make a new key pair, and remove the old public key where it is trusted: "
            "authorized_keys, certificates (revoke them), signing keys"
        ),
        "PRIVATE_KEY",
    ),
    "public-ip-ipv4": _Kind(
        "Public IP address",
        "connect to the address, unless a firewall keeps them out",
        "",
        "SERVER_ADDRESS",
        advice=(
            "Read the address from the environment. If it should not be known, limit who can "
            "connect to it."
        ),
    ),
    "pulumi-token": _Kind(
        "Pulumi access token",
        "deploy the stacks of the token's owner, and read their state",
        "delete the token in Pulumi Cloud under Access tokens",
        "PULUMI_ACCESS_TOKEN",
        "pul-",
        page="https://www.pulumi.com/docs/administration/access-identity/access-tokens/",
        also=("pulumi-api-token",),
    ),
    "pypi-token": _Kind(
        "PyPI token",
        "upload releases of the projects that the token is for",
        "remove the token on PyPI under Account settings > API tokens",
        "PYPI_TOKEN",
        "pypi-",
        also=("pypi-upload-token",),
    ),
    "replicate-token": _Kind(
        "Replicate token",
        "run models at the account's expense",
        "disable the token on Replicate's page of API tokens",
        "REPLICATE_API_TOKEN",
        "r8_",
        also=("replicate-api-token",),
    ),
    "rubygems-api-key": _Kind(
        "RubyGems API key",
        "publish gems in the name of the key's owner",
        "delete the key in the settings of RubyGems under API keys",
        "GEM_HOST_API_KEY",
        "rubygems_",
        also=("rubygems-api-token",),
    ),
    "secret-in-a-command": _Kind(
        "Secret in a command",
        "use the secret, and so can every process that lists the commands of the machine",
        "change it where it is accepted",
        "API_TOKEN",
        also=("curl-auth-user",),
        bad="curl --user shop:... https://example.org/",
        good="curl --netrc https://example.org/",
    ),
    "secret-in-a-path": _Kind(
        "Secret in a path",
        "use the secret, and every list of files shows it",
        "revoke it where it is accepted, and rename the file",
        "API_TOKEN",
        bad="config/ghp_....json",
        good="config/github.json",
    ),
    "secret-keyword": _Kind(
        "Hard-coded secret",
        "use the value, whose name says that it is a password, a key or a token",
        "revoke or change it where it is accepted",
        "ADMIN_PASSWORD",
        also=("generic-api-key", "secret-assignment"),
    ),
    "sendgrid-api-key": _Kind(
        "SendGrid API key",
        "send mail from the account's domains",
        "delete the key in SendGrid under Settings > API Keys",
        "SENDGRID_API_KEY",
        "SG.",
        page="https://www.twilio.com/docs/sendgrid/ui/account-and-settings/api-keys",
        also=("sendgrid-api-token",),
    ),
    "sentry-token": _Kind(
        "Sentry token",
        "read errors, and change projects, within the token's scopes",
        "revoke the token in Sentry's settings under Auth Tokens",
        "SENTRY_AUTH_TOKEN",
        "sntrys_",
        page="https://docs.sentry.io/account/auth-tokens/",
        also=("sentry-access-token", "sentry-org-token", "sentry-user-token"),
    ),
    "shopify-token": _Kind(
        "Shopify token",
        "read and change the data of the shop, within the token's scopes",
        "rotate the app's credentials in Shopify, or uninstall the app",
        "SHOPIFY_TOKEN",
        "shpat_",
        also=(
            *("shopify-access-token", "shopify-custom-access-token"),
            *("shopify-private-app-access-token", "shopify-shared-secret"),
        ),
    ),
    "slack-token": _Kind(
        "Slack token",
        "read and post messages in the workspace, within the token's scopes",
        (
            "revoke the token with the method auth.revoke, or on the app's page under OAuth & "
            "Permissions"
        ),
        "SLACK_TOKEN",
        "xoxb-",
        page="https://docs.slack.dev/reference/methods/auth.revoke",
        also=(
            *("slack-access-token", "slack-app-token", "slack-bot-token"),
            *("slack-config-access-token", "slack-config-refresh-token"),
            *("slack-legacy-bot-token", "slack-legacy-token"),
            *("slack-legacy-workspace-token", "slack-session-token", "slack-user-token"),
        ),
    ),
    "slack-webhook": _Kind(
        "Slack webhook",
        "post messages in the webhook's channel",
        "remove the webhook on the app's page under Incoming Webhooks",
        "SLACK_WEBHOOK",
        "https://hooks.slack.com/",
        page="https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks",
        also=("slack-web-hook", "slack-webhook-url"),
    ),
    "softlayer-credentials": _Kind(
        "SoftLayer credentials",
        "manage the classic infrastructure of IBM Cloud as the key's user",
        (
            "delete the classic infrastructure API key in the IBM Cloud console under Manage "
            "> Access (IAM)"
        ),
        "SOFTLAYER_API_KEY",
        page="https://cloud.ibm.com/docs/account?topic=account-classic_keys",
    ),
    "sonarqube-token": _Kind(
        "SonarQube token",
        "read code and analyses as the token's owner",
        "revoke the token in SonarQube under My Account > Security",
        "SONAR_TOKEN",
        "squ_",
        also=("sonar-api-token",),
    ),
    "square-access-token": _Kind(
        "Square access token",
        "take payments, and read the orders and customers of the account",
        "replace the token in Square's Developer Console under Credentials",
        "SQUARE_ACCESS_TOKEN",
        "EAAA",
    ),
    "square-oauth-secret": _Kind(
        "Square OAuth secret",
        "get access to the sellers that use the application",
        "replace the secret in Square's Developer Console under OAuth",
        "SQUARE_APP_SECRET",
        "sq0csp-",
        page="https://developer.squareup.com/docs/oauth-api/best-practices",
    ),
    "stripe-access-key": _Kind(
        "Stripe secret key",
        "charge and refund customers, and read their data",
        "rotate the key in the Stripe Dashboard under Developers > API keys",
        "STRIPE_API_KEY",
        "sk_",
        page="https://docs.stripe.com/keys",
        also=("stripe-access-token", "stripe-secret-token"),
    ),
    "stripe-publishable-token": _Kind(
        "Stripe publishable key",
        "see the key, which is made for browsers and apps and can only create tokens",
        "",
        "STRIPE_PUBLISHABLE_KEY",
        "pk_",
        page="https://docs.stripe.com/keys",
        advice=(
            "Leave a publishable key (pk_) where it is: browsers see it anyway. Rotate a "
            "secret one (sk_)."
        ),
    ),
    "stripe-webhook-secret": _Kind(
        "Stripe webhook secret",
        "send the application events that it takes for Stripe's",
        "roll the secret of the webhook's endpoint in the Stripe Dashboard",
        "STRIPE_WEBHOOK_SECRET",
        "whsec_",
        page="https://docs.stripe.com/webhooks",
    ),
    "supabase-key": _Kind(
        "Supabase key",
        "read and change the project's data without its row-level security",
        "rotate the key in Supabase under Project Settings > API Keys",
        "SUPABASE_KEY",
        "sb_secret_",
        page="https://supabase.com/docs/guides/api/api-keys",
        also=("supabase-management-token", "supabase-project-api-key"),
    ),
    "telegram-bot-token": _Kind(
        "Telegram bot token",
        "read the bot's messages, and answer as the bot",
        "send /revoke to @BotFather",
        "TELEGRAM_TOKEN",
        page="https://core.telegram.org/bots/features#botfather",
        also=("telegram-bot-api-token",),
    ),
    "twilio-api-key": _Kind(
        "Twilio API key",
        "send messages and make calls at the account's expense",
        "delete the key in the Twilio Console under API keys",
        "TWILIO_API_KEY",
        "SK",
        page="https://www.twilio.com/docs/iam/api-keys",
    ),
    "xai-api-key": _Kind(
        "xAI API key",
        "use the API at the account's expense",
        "delete the key in the xAI console under API keys",
        "XAI_API_KEY",
        "xai-",
    ),
}
_OTHER: Final = _Kind(
    "Hard-coded secret",
    "use the secret",
    "revoke or change it where it is accepted",
    "API_KEY",
)
_LOAD: Final = "Load the new one from the environment or a secret manager."
_DOUBTS: Final = {
    Confidence.POSSIBLE: "Check whether it is real. If so",
    Confidence.UNLIKELY: "It looks like no secret. If it is one",
}
_PAGE: Final = "https://cheatsheetseries.owasp.org/cheatsheets/Secrets_Management_Cheat_Sheet.html"

ALIASES: Final[Mapping[str, str]] = {
    alias: rule for rule, kind in _KINDS.items() for alias in kind.also
}
"""The ids of scanners for kinds that have another id here, for `ScannerInfo.rule_aliases`."""

_BY_SYNTAX: Final = (
    *("password-in-a-connection-string", "password-in-sql", "authorization-header"),
    "secret-in-a-command",
)
_GENERIC: Final = (
    *("basic-auth-credentials", *_BY_SYNTAX, "secret-keyword"),
    *("base64-high-entropy-string", "hex-high-entropy-string", "public-ip-ipv4"),
)
GENERIC: Final = tuple(rule for kind in _GENERIC for rule in (kind, *_KINDS[kind].also))
"""The rules that match any kind of secret, the vaguest last, for `ScannerInfo.generic_rules`."""

BY_SYNTAX: Final = frozenset(rule for kind in _BY_SYNTAX for rule in (kind, *_KINDS[kind].also))
"""The rules that know a value by the syntax around it, for `ScannerInfo.syntax_rules`."""

# Words of titles that are not names. Scanners capitalise them like names: "Access Key".
_COMMON_WORD: Final = re.compile(
    r"(?<=\s)(?:Access|Account|Admin|Application|Authentication|Bot|Client|Credentials?|Header|"
    r"Keys?|Organization|Password|Personal|Private|Project|Public|Publishable|Secrets?|Service|"
    r"Signing|Storage|Strings?|Tokens?|Upload|User|Webhook)\b"
)


@cache
def secret_rule(rule: str, title: str) -> Rule:
    """Return the rule of a scanner with the words for its kind of secret.

    `title` is the scanner's, for kinds that are not known here.
    """
    name = ALIASES.get(rule, rule)
    kind = _KINDS.get(name, _OTHER._replace(title=_COMMON_WORD.sub(_lower, one_line(title))))
    return Rule(
        id=rule,
        name=name,
        title=kind.title or rule,
        url=kind.page or _PAGE,
        why=f"Anyone who can read this file can {kind.gives}.",
        help=kind.advice or f"Treat it as leaked: {kind.revoke}. {_LOAD}",
        bad=kind.bad or f'{kind.name} = "{kind.start}..."',
        good=kind.good or f'{kind.name} = os.environ["{kind.name}"]',
    )


@cache
def titled_rule(title: str) -> Rule:
    """Return the rule for a type of secret in the words of detect-secrets or of `detectors`."""
    name = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-") or "secret"
    return secret_rule(name, title)


def in_path(scanner: str, path: str) -> Observation:
    """Return the observation for a file whose path has a secret, which `path` masks."""
    rule = titled_rule("Secret in a path")
    return Observation(
        scanner=scanner,
        category=Category.SECRET,
        rule=rule,
        title=rule.title,
        message="Possible secret in the path of the file.",
        location=Location(path),
        secret=Secret(None),
    )


def advised(rule: Rule, confidence: Confidence) -> Rule:
    """Return the rule of a secret with what to do about one of this confidence."""
    doubt = _DOUBTS.get(confidence)
    kind = _KINDS.get(rule.name, _OTHER)
    if doubt is None or kind.advice:
        return rule
    return replace(rule, help=f"{doubt}, treat it as leaked: {kind.revoke}. {_LOAD}")


def _lower(word: re.Match[str]) -> str:
    return word[0].lower()


def message(rule: Rule) -> str:
    """Return the message of a finding of the rule."""
    if rule.title == _OTHER.title:
        return "Possible hard-coded secret."
    return f"Possible hard-coded secret: {rule.title}."
