// Refusals in other languages, phrase by phrase, in the words the rules know. Only what changes the meaning is listed:
// the rest of such a reply is dropped as any other words no rule knows.

type Phrases = readonly (readonly [RegExp, string])[];

// Written without accents: they are taken off before.
const german: Phrases = [
  [/(?:tages|tagliche[sn]? )(?:versand)?(?:limit|kontingent)/g, 'daily sending limit'],
  [/(?:versand|sende)(?:limit|kontingent|begrenzung)/g, 'sending limit'],
  [/\b(?:uberschritten|ueberschritten|erreicht|ausgeschopft)\b/g, 'exceeded'],
  [
    /(?:postfach|mailbox|speicherplatz|konto)(?: des empfangers)?\b.{0,30}\b(?:voll|exceeded|erschopft)/g,
    'mailbox full',
  ],
  [
    /\b(?:empfanger|benutzer|adresse|adressat|postfach|konto)\w*\b.{0,40}\b(?:unbekannt|existiert nicht|nicht (?:gefunden|vorhanden|bekannt))|unbekannte[rs]? (?:empfanger|benutzer)|kein (?:solcher benutzer|solches postfach|postfach)/g,
    'recipient unknown',
  ],
  [
    /\b(?:postfach|empfanger\w*|konto des empfangers)\b.{0,30}\b(?:gesperrt|deaktiviert|inaktiv)/g,
    'recipient mailbox disabled',
  ],
  [
    /\bihr(?:e|en)? (?:konto|postfach|account)\b.{0,30}\b(?:gesperrt|deaktiviert)/g,
    'your account is blocked',
  ],
  [
    /\babsender\w*\b.{0,40}\b(?:nicht (?:erlaubt|zulassig|berechtigt)|abgelehnt|ungultig|gehort nicht)/g,
    'sender address not allowed',
  ],
  [/\b(?:anmeldung|authentifizierung)\b.{0,20}\b(?:erforderlich|notwendig)/g, 'authentication required'],
  [
    /\b(?:anmeldung|authentifizierung)\b.{0,20}\b(?:fehlgeschlagen|ungultig|abgelehnt)|(?:benutzername|kennwort|passwort)\b.{0,40}\b(?:falsch|ungultig|nicht korrekt)/g,
    'authentication failed incorrect password',
  ],
  [
    /\bnachricht\b.{0,20}\bzu gro(?:ss|\u00df)|maximale (?:nachrichten)?gro(?:ss|\u00df)e/g,
    'message too large',
  ],
  [/\b(?:zu viele|zuviele) (?:empfanger)/g, 'too many recipients'],
  [/\b(?:zu viele|zuviele) (?:verbindungen)/g, 'too many connections'],
  [/\b(?:zu viele|zuviele) (?:nachrichten|e ?-?mails)/g, 'too many messages sent'],
  [/\b(?:ip-?adresse)\b.{0,40}\b(?:gesperrt|blockiert|sperrliste)/g, 'ip address blocked'],
  [/\b(?:spamverdacht|als spam|unerwunschte werbung)/g, 'classified as spam'],
  [/\bweiterleitung (?:nicht erlaubt|verweigert)|relaying? nicht erlaubt/g, 'relaying denied'],
  [/\bspater (?:erneut|noch ?(?:ein)?mal)|voruber ?gehend|vorubergehend/g, 'try again later'],
];

const french: Phrases = [
  [
    /boite (?:aux lettres |mail )?(?:du destinataire )?(?:est )?(?:pleine|saturee)|quota (?:de la boite )?depasse/g,
    'mailbox full',
  ],
  [
    /(?:adresse|destinataire|utilisateur|compte|boite)\b.{0,40}\b(?:inconnue?|inexistante?|n'existe pas|invalide|introuvable)|aucun(?:e)? (?:utilisateur|boite)/g,
    'recipient unknown',
  ],
  [
    /boite du destinataire archivee|(?:compte|boite) (?:du destinataire )?(?:est )?(?:desactivee?|suspendue?|fermee?|bloquee?)/g,
    'recipient mailbox disabled',
  ],
  [/votre compte\b.{0,30}\b(?:bloque|suspendu|desactive)/g, 'your account is blocked'],
  [
    /expediteur\b.{0,40}\b(?:refuse|non autorise|invalide|rejete)|adresse d'expedition (?:non autorisee|refusee)/g,
    'sender address not allowed',
  ],
  [/trop de connexions/g, 'too many connections'],
  [/trop de destinataires/g, 'too many recipients'],
  [/trop de (?:messages|mails|e-mails|courriels)/g, 'too many messages sent'],
  [
    /(?:limite|quota) (?:d'envoi )?(?:journalier|quotidien)\w*|limite (?:d'envoi )?par jour/g,
    'daily sending limit',
  ],
  [/limite d'envoi|quota d'envoi/g, 'sending limit'],
  [/\b(?:depassee?|atteinte?)\b/g, 'exceeded'],
  [/authentification (?:requise|obligatoire|necessaire)/g, 'authentication required'],
  [
    /(?:echec (?:de l'|d')?authentification|mot de passe (?:incorrect|invalide)|identifiants? (?:incorrects?|invalides?))/g,
    'authentication failed incorrect password',
  ],
  [/message trop (?:volumineux|gros|long)|taille maximale/g, 'message too large'],
  [/considere comme (?:du )?spam|courrier indesirable|message (?:juge )?indesirable/g, 'classified as spam'],
  [/adresse ip\b.{0,40}\b(?:bloquee|refusee|liste noire)/g, 'ip address blocked'],
  [/veuillez (?:essayer|reessayer) plus tard|reessayez plus tard|temporairement/g, 'try again later'],
];

const japanese: Phrases = [
  [
    /(?:宛先|受信者|ユーザー?|メールアドレス|アドレス|アカウント).{0,20}(?:存在しません|見つかりません|不明|ありません|存在しない)/g,
    ' recipient unknown ',
  ],
  [/(?:メールボックス|受信箱|容量).{0,20}(?:いっぱい|超過|満杯|一杯|制限)/g, ' mailbox full '],
  [/(?:宛先|受信者|相手).{0,20}(?:停止|無効|休止)/g, ' recipient mailbox disabled '],
  [/受信(?:を)?拒否|受信が拒否/g, ' recipient does not accept '],
  [/認証.{0,10}必要/g, ' authentication required '],
  [
    /認証.{0,10}(?:失敗|エラー)|パスワード.{0,15}(?:違|誤|正しく)/g,
    ' authentication failed incorrect password ',
  ],
  [/(?:1日|一日|日).{0,6}送信.{0,12}(?:制限|上限|超)/g, ' daily sending limit exceeded '],
  [/送信.{0,15}(?:制限|上限|超過)/g, ' sending limit exceeded '],
  [/迷惑メール|スパム/g, ' spam '],
  [/送信者.{0,15}(?:許可|拒否|不正|一致)/g, ' sender address not allowed '],
  [/(?:サイズ|大き).{0,15}(?:超|制限|すぎ)/g, ' message too large '],
];

const russian: Phrases = [
  [
    /(?:пользовател|получател|адресат|ящик|адрес)\S*.{0,40}(?:не (?:существует|найден|зарегистрирован)|неизвест|отсутствует)|(?:нет такого|такого) (?:пользователя|ящика|адреса)|несуществующ\S* (?:пользовател|ящик|адрес)/g,
    ' recipient unknown ',
  ],
  [
    /(?:ящик|почтов\S* ящик)\S*.{0,40}(?:переполнен|заполнен|превы)|превышен\S* квота ящика/g,
    ' mailbox full ',
  ],
  [/(?:ящик|получател|адресат)\S*.{0,40}(?:заблокирован|отключен|неактив)/g, ' recipient mailbox disabled '],
  [
    /ваш\S* (?:аккаунт|уч[её]тн\S* запис|ящик|ip)\S*.{0,30}(?:заблокирован|отключен)/g,
    ' your account is blocked ',
  ],
  [
    /требуется (?:авторизация|аутентификация)|необходима (?:авторизация|аутентификация)/g,
    ' authentication required ',
  ],
  [
    /(?:ошибка|неудачн\S*) (?:авторизац|аутентификац)\S*|невер\S* (?:логин|пароль|имя)/g,
    ' authentication failed incorrect password ',
  ],
  [/(?:суточн|дневн)\S* (?:лимит|квот)\S*/g, ' daily sending limit '],
  [/лимит\S* (?:отправки|писем|сообщений)|слишком много (?:писем|сообщений)/g, ' sending limit '],
  [/превыш\S*|исчерпан\S*/g, ' exceeded '],
  [/слишком много получателей/g, ' too many recipients '],
  [/слишком много (?:соединений|подключений)/g, ' too many connections '],
  [/спам\S*|нежелательн\S* (?:письм|почт)\S*/g, ' spam '],
  [/отправител\S*.{0,30}(?:запрещ|не разреш|отклон|отверг|не принадлеж)/g, ' sender address not allowed '],
  [
    /(?:письмо|сообщение).{0,20}слишком (?:больш|велик)\S*|размер.{0,20}(?: exceeded |превыш)/g,
    ' message too large ',
  ],
  [/(?:попробуйте|повторите).{0,15}(?:позже|позднее)|временно/g, ' try again later '],
];

const chinese: Phrases = [
  [
    /(?:收件人|用户|邮箱|地址|账号|帐号|收信人).{0,12}(?:不存在|未找到|无效|错误)|(?:不存在|没有)(?:该|此)?(?:用户|收件人|邮箱)/g,
    ' recipient unknown ',
  ],
  [/(?:邮箱|收件箱|信箱|容量|空间).{0,10}(?:已满|满|不足|超限|超过)/g, ' mailbox full '],
  [/(?:收件人|对方|用户|该邮箱|该用户).{0,12}(?:停用|冻结|禁用|锁定|关闭)/g, ' recipient mailbox disabled '],
  [/(?:您|你)的?(?:账号|帐号|账户|邮箱).{0,12}(?:停用|冻结|禁用|锁定|封)/g, ' your account is blocked '],
  [/(?:需要|必须|请先).{0,8}(?:认证|登录|验证)/g, ' authentication required '],
  [/(?:登录失败|认证失败|密码错误|授权码|用户名或密码)/g, ' authentication failed incorrect password '],
  [/(?:每日|当日|今日|每天|当天|单日).{0,12}(?:上限|限制|超)/g, ' daily sending limit exceeded '],
  [/(?:发送|发信|发件).{0,10}(?:频率|频繁|过快|上限|限制|超)/g, ' sending limit exceeded '],
  [/垃圾邮件|垃圾信/g, ' spam '],
  [/(?:发件人|发信人).{0,12}(?:不一致|不匹配|不符|拒绝|不允许|无效)/g, ' sender address not allowed '],
  [/(?:邮件|信件|附件).{0,8}(?:过大|太大|超过)/g, ' message too large '],
  [/(?:请稍后|稍候|稍后)(?:再试|重试)?/g, ' try again later '],
  [/病毒/g, ' virus '],
];

const spanish: Phrases = [
  [/(?:buzon|casilla|casella)\b.{0,30}\b(?:llen[oa]|pien[oa]|excedid\w+)/g, 'mailbox full'],
  [
    /(?:usuario|destinatario|direccion|buzon|cuenta|utente|indirizzo|casella)\b.{0,40}\b(?:no existe|desconocid[oa]|inexistente|non esiste|sconosciut[oa]|no encontrad[oa])/g,
    'recipient unknown',
  ],
];

const latin: Phrases = [...german, ...french, ...spanish];
const others: Phrases = [...japanese, ...russian, ...chinese];

/** A reply in lower case, with the phrases of other languages in English. English replies come back as they are. */
export function inEnglish(raw: string): string {
  let text = raw;
  if (
    /[\u00c0-\u024f]|\b(?:postfach\w*|nachricht|empf\w+|benutzer\w*|absender\w*|anmeldung\w*|ihre?|zu viele|trop de|veuillez|boite|votre|adresse\w*|destinataire|compte|usuario|destinatario|buzon|utente|casella|versand\w*|tages\w*|kein\w*|echec|authentification|limite|courrier)\b/.test(
      raw,
    )
  ) {
    text = text
      .normalize('NFD')
      .replaceAll(/[\u0300-\u036f]/g, '')
      .normalize('NFC')
      .replaceAll('ß', 'ss');
    text = text.replaceAll(/\b(\w*)(ae|oe|ue)(?=\w*\b)/g, (whole, before: string, pair: string) =>
      /^(?:empf|uebers|ung|absp|sp|vor|unerw|t|gr|zul|b|f|geh)$/.test(before) ? `${before}${pair[0]}` : whole,
    );
    for (const [phrase, english] of latin) text = text.replaceAll(phrase, ` ${english} `);
  }
  // biome-ignore lint/suspicious/noControlCharactersInRegex: whatever is not ASCII
  if (/[^\u0000-\u024f]/.test(raw)) {
    for (const [phrase, english] of others) text = text.replaceAll(phrase, english);
  }
  return text;
}
