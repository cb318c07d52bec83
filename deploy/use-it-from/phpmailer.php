<?php
use PHPMailer\PHPMailer\PHPMailer;

require getenv('AUTOLOAD') ?: 'vendor/autoload.php';

$mail = new PHPMailer(true); // true: an email that was not taken is an exception
$mail->isSMTP();
$mail->Host = getenv('MAIL_HOST');
$mail->Port = (int) getenv('MAIL_PORT');
$mail->SMTPAuth = true;
$mail->Username = getenv('MAIL_USERNAME');
$mail->Password = getenv('MAIL_PASSWORD');
$mail->SMTPAutoTLS = true; // STARTTLS as soon as the relay has a certificate
$mail->CharSet = PHPMailer::CHARSET_UTF8;

$mail->setFrom(getenv('MAIL_FROM'), 'Example Shop');
$mail->addAddress(getenv('MAIL_TO'));
$mail->Subject = 'Your order 4711 – Grüße';
$mail->Body = "Thank you for your order.\n";
$mail->send();
