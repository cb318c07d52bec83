#!/bin/sh
# Once the relay has a certificate add --ssl-reqd. curl makes no Message-ID: this one is new every time.
set -eu
id="$(date +%s).$$.$(od -An -N8 -tx8 /dev/urandom | tr -d ' ')"
curl --silent --show-error --url "smtp://$MAIL_HOST:$MAIL_PORT/app.example.com" \
  --user "$MAIL_USERNAME:$MAIL_PASSWORD" \
  --mail-from "$MAIL_FROM" --mail-rcpt "$MAIL_TO" \
  --crlf --upload-file - <<MESSAGE
From: Example Shop <$MAIL_FROM>
To: $MAIL_TO
Subject: =?utf-8?Q?Your_order_4711_=E2=80=93_Gr=C3=BC=C3=9Fe?=
Date: $(date -R)
Message-ID: <$id@${MAIL_FROM##*@}>
Content-Type: text/plain; charset=utf-8

Thank you for your order.
MESSAGE
