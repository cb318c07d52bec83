package main

import (
	"fmt"
	"log"
	"mime"
	"net/smtp"
	"os"
	"strings"
	"time"
)

// net/smtp refuses to send a password in clear to any host but localhost. Inside a private network, where the relay
// accepts it, this says that it is meant. Once the relay has a certificate use smtp.PlainAuth alone:
// smtp.SendMail then changes to TLS by itself.
type inPrivateNetwork struct{ smtp.Auth }

func (auth inPrivateNetwork) Start(server *smtp.ServerInfo) (string, []byte, error) {
	trusted := *server
	trusted.TLS = true
	return auth.Auth.Start(&trusted)
}

func main() {
	host, from, to := os.Getenv("MAIL_HOST"), os.Getenv("MAIL_FROM"), os.Getenv("MAIL_TO")
	auth := inPrivateNetwork{smtp.PlainAuth("", os.Getenv("MAIL_USERNAME"), os.Getenv("MAIL_PASSWORD"), host)}

	// net/smtp makes no Message-ID. With one of yours, sending the same message again is recognised.
	id := fmt.Sprintf("<%d.%d@%s>", time.Now().UnixNano(), os.Getpid(), from[strings.LastIndex(from, "@")+1:])
	message := strings.Join([]string{
		"From: Example Shop <" + from + ">",
		"To: " + to,
		"Subject: " + mime.QEncoding.Encode("utf-8", "Your order 4711 – Grüße"),
		"Date: " + time.Now().Format(time.RFC1123Z),
		"Message-ID: " + id,
		"Content-Type: text/plain; charset=utf-8",
		"",
		"Thank you for your order.",
		"",
	}, "\r\n")
	if err := smtp.SendMail(host+":"+os.Getenv("MAIL_PORT"), auth, from, []string{to}, []byte(message)); err != nil {
		log.Fatal(err)
	}
}
