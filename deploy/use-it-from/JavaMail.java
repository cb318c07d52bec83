import jakarta.mail.Authenticator;
import jakarta.mail.Message;
import jakarta.mail.PasswordAuthentication;
import jakarta.mail.Session;
import jakarta.mail.Transport;
import jakarta.mail.internet.InternetAddress;
import jakarta.mail.internet.MimeMessage;
import java.util.Properties;

// Spring Boot's JavaMailSender is the same library: spring-application.properties beside this file.
public class JavaMail {
    public static void main(String[] args) throws Exception {
        var env = System.getenv();
        var properties = new Properties();
        properties.put("mail.smtp.host", env.get("MAIL_HOST"));
        properties.put("mail.smtp.port", env.get("MAIL_PORT"));
        properties.put("mail.smtp.auth", "true");
        properties.put("mail.smtp.starttls.enable", "false"); // true once the relay has a certificate
        // Without these it waits for ever.
        properties.put("mail.smtp.connectiontimeout", "10000");
        properties.put("mail.smtp.timeout", "60000");
        var session = Session.getInstance(properties, new Authenticator() {
            @Override
            protected PasswordAuthentication getPasswordAuthentication() {
                return new PasswordAuthentication(env.get("MAIL_USERNAME"), env.get("MAIL_PASSWORD"));
            }
        });

        var message = new MimeMessage(session);
        message.setFrom(new InternetAddress(env.get("MAIL_FROM"), "Example Shop", "utf-8"));
        message.setRecipients(Message.RecipientType.TO, env.get("MAIL_TO"));
        message.setSubject("Your order 4711 – Grüße", "utf-8");
        message.setText("Thank you for your order.\n", "utf-8");
        Transport.send(message);
    }
}
