require "action_mailer"

# In Rails: config.action_mailer.delivery_method and config.action_mailer.smtp_settings in config/environments/production.rb
ActionMailer::Base.delivery_method = :smtp
ActionMailer::Base.smtp_settings = {
  address: ENV.fetch("MAIL_HOST"),
  port: ENV.fetch("MAIL_PORT").to_i,
  user_name: ENV.fetch("MAIL_USERNAME"),
  password: ENV.fetch("MAIL_PASSWORD"),
  authentication: :plain,
  enable_starttls_auto: false, # true once the relay has a certificate
  open_timeout: 10,
  read_timeout: 60
}

class OrderMailer < ActionMailer::Base
  default from: "Example Shop <#{ENV.fetch("MAIL_FROM")}>"

  def receipt(to)
    mail(to: to, subject: "Your order 4711 – Grüße", body: "Thank you for your order.\n")
  end
end

OrderMailer.receipt(ENV.fetch("MAIL_TO")).deliver_now
