#!/bin/sh
# Starts a process without the secrets of others. A platform may give all variables to all containers, and what a
# process was started with stays readable in /proc for as long as it lives, whatever it removes from its environment.
# That such a variable was set stays to be seen, so that the doctor can tell what was typed in the wrong place.
# A test compares these names with deploy/variables.ts.
drop() {
  for name in "$@"; do
    for spelling in "$name" "${name}_BASE64"; do
      if eval "[ -n \"\${$spelling:-}\" ]"; then export "$spelling=removed"; fi
    done
  done
}

of_the_relay='SMTP_PASSWORD SMTP_PASS SMTP2_PASSWORD SMTP2_PASS RELAY_USERS ALERT_WEBHOOK_URL ALERT_WEBHOOK_SECRET BOUNCE_IMAP_PASSWORD'
of_the_relay="$of_the_relay SMTP_OAUTH2_CLIENT_SECRET SMTP_OAUTH2_REFRESH_TOKEN SMTP_OAUTH2_SERVICE_ACCOUNT"
of_the_relay="$of_the_relay SMTP2_OAUTH2_CLIENT_SECRET SMTP2_OAUTH2_REFRESH_TOKEN SMTP2_OAUTH2_SERVICE_ACCOUNT"

of_the_api='API_KEY ADMIN_PASSWORD OIDC_CLIENT_SECRET'
of_migrate='DATABASE_API_PASSWORD DATABASE_RELAY_PASSWORD DATABASE_WORKER_PASSWORD'
of_the_others='RELAY_PASSWORD'

# shellcheck disable=SC2086
case "$*" in
*relay/*) drop $of_the_api $of_migrate ;;
*worker/*) drop $of_the_relay $of_the_api $of_migrate ;;
*api/*) drop $of_the_relay $of_migrate ;;
*deploy/migrate.ts*) drop $of_the_relay $of_the_api $of_the_others ;;
esac
# What marks a variable as required on Coolify is read by nobody.
unset REQUIRED_SMTP_PASSWORD

exec /usr/bin/tini -- "$@"
