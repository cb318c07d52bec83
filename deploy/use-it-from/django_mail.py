import os

import django
from django.conf import settings
from django.core.mail import send_mail

# In a project these stand in settings.py.
settings.configure(
    EMAIL_BACKEND="django.core.mail.backends.smtp.EmailBackend",
    EMAIL_HOST=os.environ["MAIL_HOST"],
    EMAIL_PORT=int(os.environ["MAIL_PORT"]),
    EMAIL_HOST_USER=os.environ["MAIL_USERNAME"],
    EMAIL_HOST_PASSWORD=os.environ["MAIL_PASSWORD"],
    EMAIL_USE_TLS=False,  # True once the relay has a certificate
    EMAIL_TIMEOUT=60,
    DEFAULT_FROM_EMAIL=f"Example Shop <{os.environ['MAIL_FROM']}>",
    # Error reports to ADMINS come from this one; its own default, root@localhost, is refused.
    SERVER_EMAIL=os.environ["MAIL_FROM"],
)
django.setup()

send_mail("Your order 4711 – Grüße", "Thank you for your order.\n", None, [os.environ["MAIL_TO"]])
