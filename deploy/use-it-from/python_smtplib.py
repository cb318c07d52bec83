import os
import smtplib
from email.message import EmailMessage
from email.utils import formataddr, make_msgid

message = EmailMessage()
message["From"] = formataddr(("Example Shop", os.environ["MAIL_FROM"]))
message["To"] = os.environ["MAIL_TO"]
message["Subject"] = "Your order 4711 – Grüße"
# smtplib makes no Message-ID. With one of yours, sending the same message again is recognised.
message["Message-ID"] = make_msgid(domain=os.environ["MAIL_FROM"].partition("@")[2])
message.set_content("Thank you for your order.\n")

with smtplib.SMTP(os.environ["MAIL_HOST"], int(os.environ["MAIL_PORT"]), timeout=60) as relay:
    # relay.starttls(context=ssl.create_default_context())  # once the relay has a certificate
    relay.login(os.environ["MAIL_USERNAME"], os.environ["MAIL_PASSWORD"])
    relay.send_message(message)
