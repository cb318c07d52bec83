import os

from flask import Flask
from flask_mail import Mail, Message

app = Flask(__name__)
app.config.update(
    MAIL_SERVER=os.environ["MAIL_HOST"],
    MAIL_PORT=int(os.environ["MAIL_PORT"]),
    MAIL_USERNAME=os.environ["MAIL_USERNAME"],
    MAIL_PASSWORD=os.environ["MAIL_PASSWORD"],
    MAIL_USE_TLS=False,  # True once the relay has a certificate
    MAIL_DEFAULT_SENDER=("Example Shop", os.environ["MAIL_FROM"]),
)
mail = Mail(app)

with app.app_context():
    mail.send(
        Message(
            "Your order 4711 – Grüße",
            recipients=[os.environ["MAIL_TO"]],
            body="Thank you for your order.\n",
        )
    )
