<?php
// Laravel sends with the same library: there it is MAIL_MAILER=smtp, MAIL_HOST, MAIL_PORT, MAIL_USERNAME, MAIL_PASSWORD
// and MAIL_FROM_ADDRESS in .env, and nothing else to write.
use Symfony\Component\Mailer\Mailer;
use Symfony\Component\Mailer\Transport;
use Symfony\Component\Mime\Address;
use Symfony\Component\Mime\Email;

require getenv('AUTOLOAD') ?: 'vendor/autoload.php';

// In Symfony this is MAILER_DSN. The password is URL-encoded in it.
$dsn = sprintf(
    'smtp://%s:%s@%s:%d',
    rawurlencode(getenv('MAIL_USERNAME')),
    rawurlencode(getenv('MAIL_PASSWORD')),
    getenv('MAIL_HOST'),
    getenv('MAIL_PORT'),
);

$mailer = new Mailer(Transport::fromDsn($dsn));
$mailer->send((new Email())
    ->from(new Address(getenv('MAIL_FROM'), 'Example Shop'))
    ->to(getenv('MAIL_TO'))
    ->subject('Your order 4711 – Grüße')
    ->text("Thank you for your order.\n"));
