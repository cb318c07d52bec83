// Who wrote a mail: a mail server about another mail, a person, or a machine on a person's behalf (RFC 3834).
import { type Fields, fieldOf } from './fields.ts';

const daemon =
  /(?:mailer[-_ .]?daemon|post[-_]?master|mail[-_ .]?(?:delivery|system|administrator|er)|delivery[-_ .]?(?:system|subsystem|status)|\bndr\b|mdaemon|bounce|no-?reply@sns\.amazonaws)/i;

const failedSubject =
  /undeliver|non[- ]?deliver|not? delivered|deliver\w* (?:status|fail|problem|error|delay|incomplete|has failed|notification)|fail(?:ure|ed)\b|returned (?:mail|to sender)|returning message|bounce|could not be|mail (?:system )?error|rejected|(?:message|mail) (?:status|delayed)|delay(?:ed)?\b|unzustellbar|nicht zugestellt|zustellung|non remis|échec de la remise|non distribu|no se (?:puede|ha podido) entregar|impossibile (?:recapitare|consegnare)|mancato recapito|não (?:é possível entregar|entregue)|niet[- ](?:bestelbaar|bezorgd)|onbestelbaar|не доставлено|недоставлен|невозможно доставить|olevererbart|kan ikke leveres|kunde inte levereras|niedostarczaln|nedoručiteln|teslim edilemedi|配信不能|送信できません|未送达|退信|无法传递|배달되지 않음/i;

const failedWords =
  /(?:could not|cannot|can't|couldn't|was not|were not|wasn't|has not|unable to|failed to|not (?:yet )?be(?:en)?)\b[^.]{0,80}\bdeliver|deliver\w*[^.]{0,80}\b(?:fail|reject|delay|not possible|impossible|unsuccessful|cannot|error)|did not reach|undeliver|returned to (?:you|sender)|permanent(?:ly)? (?:error|failure|fatal)|invalid (?:final delivery|recipient|address|user)|not been delivered|(?:bounced|rejected) (?:by|the)|\b5\d\d[ -]+5\.\d{1,3}\.\d{1,3}\b/i;

const autoReplySubject =
  /^(?:\S{1,12}: ?)?(?:auto(?:matic|matische|matisch)?[- ]?(?:reply|response|antwort|respuesta)|out of (?:the )?office|réponse automatique|automatische antwort|abwesen|vacation|away|risposta automatica|respuesta automática|resposta automática|i am (?:away|on)|autosvar|自动|автоответ)/i;

export type Author = {
  /** Nothing but a report has the null sender and such an author (RFC 5321 §4.5.5). */
  readonly isServer: boolean;
  readonly isAutoReply: boolean;
  readonly speaksOfFailure: boolean;
};

export function authorOf(header: Fields, subject: string, words: string): Author {
  const from = fieldOf(header, 'from');
  const path = header.get('return-path');
  const hasNullSender =
    path !== undefined && /^\s*(?:<\s*>|<?mailer-daemon(?:@[^>]*)?>?|)\s*$/i.test(path[0] ?? '');
  const isDaemon = daemon.test(from) || /^(?:<>)?$/.test(from);
  const isAnswer = header.has('in-reply-to') && !isDaemon;
  const failed = failedSubject.test(subject);
  return {
    isServer: !isAnswer && (isDaemon || hasNullSender),
    isAutoReply:
      autoReplySubject.test(subject) ||
      /vacation/i.test(fieldOf(header, 'x-apple-action')) ||
      (header.has('x-autoreply') && !isDaemon) ||
      (/^auto_reply/i.test(fieldOf(header, 'precedence')) && !isDaemon),
    speaksOfFailure: failed || failedWords.test(words),
  };
}

const delaySubject = /delay|warning|still being retried|verzögert|retard|retras|задерж/i;
const delayWords =
  /warning message only|do not need to resend|will (?:be (?:retried|tried)|retry|keep trying|continue (?:to )?(?:try|attempt))|still (?:being retried|trying)|no action is required|has been delayed|not yet been delivered|delivery attempts will continue|temporary problem/i;
const gaveUp =
  /giv(?:ing|en) up|permanent(?:ly)? (?:fail|error|fatal)|too long|no (?:further|more) (?:delivery )?attempts?|has been returned|failed permanently/i;

/** A warning that the server still tries is no outcome. */
export const isDelay = (subject: string, words: string): boolean =>
  (delaySubject.test(subject) || delayWords.test(words)) && delayWords.test(words) && !gaveUp.test(words);
