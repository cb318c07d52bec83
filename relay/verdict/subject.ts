// Whom a refusal is about: the one question that decides how far it reaches. A provider refuses one recipient or one
// mail far more often than it refuses us, and says both with the same codes and often with the same words. So a
// refusal at RCPT or later reaches further than its own mail only when it speaks about us: our account, our address,
// our machine, our quota.
import type { Stage } from '../client/vocabulary.ts';
import type { Facts } from './facts.ts';

/** `nobody`: the words do not say. */
export type Subject = 'us' | 'recipient' | 'message' | 'nobody';

// These speak to us and are about the mail or about the one it was for.
const politeness =
  /\b(?:your|the) (?:email|message|request|recipient|transmission|communication|content|attachment)s?\b|\b(?:you|that you|you have|you are|you were)(?: \w+){0,2} (?:tried|trying|attempt(?:ed|ing)|want\w*|wish\w*|sending|sent|send)(?: \w+){0,2} to\b|\b(?:please |you (?:may|can|should|need to|must) )(?:check|contact|try|verify|visit|see|ask|resend|refer|double check|go)\b(?: your (?:recipient|address\w*|spelling))?|\bcontact your\b|\bdouble checking the\b|\b(?:if you|you have reached|you can|thank you|let you)\b|\b(?:in reply to|to|rcpt to) address\b|\b(?:the|this|remote|destination|receiving|recipient|target|foreign|peer|email|smtp) (?:server|host|system|organization|tenant)\b|\bor user is not in my list of allowed rcpthosts\b|\bexceeded (?:its|his|her|their)\b/g;

const us =
  /\b(?:you|your|yours|sender|senders|sending|outgoing|outbound|submission|submitter|submit|clients?|tenant|organization|relay|relaying|from (?:address|header|domain|name)|(?:return|reverse) path|email from (?:address|must|invalid|ip)|^email from|ips?|ipnumber|helo|ehlo|ptr|rdns|reverse dns|spf|dkim|dmarc|blocklist|(?:block|black|deny)list\w*|authenticat\w+|unauthenticated|not (?:logged in|authenticated)|login|smtp account|send (?:as|from|on behalf)|spoof\w*|impersonat\w*|sandbox|authorized recipients|identity|identities|api ?key|credits?|subuser|send limit|account verification|verify your account|rcpthosts|authorized to perform|paused|dictionary attack|harvest\w*|spam statistics|spam ?source|too many (?:errors|invalid|unknown|bad|nonexistent))\b/;

// What is limited in a mailbox is what it keeps; what is limited by time, or in messages, is what is sent.
const sendingQuota =
  /\b(?:hourly|daily|monthly|per (?:hour|day|month|minute|second)|\d+ ?(?:hours?|h|minutes?)|hours?|sending|relay|rate|throttl\w*|too (?:fast|quickly)|messages? (?:sent|limit|count|quota)|connections?|concurren\w+|simultaneous|domain frequency)\b/;

const recipient =
  /\b(?:recipients?|addressee|rcpt|destination|mailbox(?:es)?|inbox|maildir|users?|customer|accounts?|alias|groups?|distribution list|members?|tried to reach|trying to (?:reach|contact)|deliver\w*|nobody here|local part|over ?quota|overquota|receiving|domain|storage|disk|forward(?:ing|ed)?)\b/;

/** What the one it was for wants or gets; a list of addresses of machines is nothing a person keeps. */
const recipientsWish =
  /\b(?:mailbox|user|recipient|inbox|addressee) (?:has |is |does not |only )?(?:already )?(?:receiv|accept|want)\w*|recipient address rejected(?: \w+)?$|^address does not want|(?:block|list|reject|refus|den(?:y|ied)|restrict)\w* by (?:the |this |that |its |your )?(?:recipient|addressee|user|owner|customer)\b/;

const message =
  /\b(?:message|email|content|attachments?|headers?|body|lines?|subject|mime|spam|virus|size|bytes|links?|urls?|file)\b/;

/** RFC 3463 §3.2, RFC 7372 and what Exchange Online adds: the sender, the machine it comes from, the tenant. */
const oursByCode = /^[245]\.(?:1\.[78]|7\.(?:2[0-7]|50[1-3]|60[6-9]|6[1-4]\d|70[58]))$/;

/** Reads it from the words alone: whoever is named outside of what is said out of politeness. */
export function subjectOf({ words, enhanced }: Pick<Facts, 'words' | 'enhanced'>): Subject {
  const said = words.replaceAll(politeness, ' … ');
  if (recipientsWish.test(words) && !/\bip(?:number)?\b/.test(said)) return 'recipient';
  if (us.test(said) || sendingQuota.test(said)) return 'us';
  // X.1.1 to X.1.6 and X.2.z are codes about the address and the mailbox of a recipient (RFC 3463 §3.2, §3.3).
  if (recipient.test(said) || /^[245]\.(?:1\.[1-6]|2\.[0-4])$/.test(enhanced ?? '')) return 'recipient';
  if (oursByCode.test(enhanced ?? '')) return 'us';
  return message.test(said) ? 'message' : 'nobody';
}

/** Where a reply may be about one recipient or one mail. Without a stage, a reply is read as if it had come here. */
export const mayBeAboutOne = (stage: Stage | undefined): boolean =>
  stage === undefined || stage === 'rcpt' || stage === 'data' || stage === 'dot' || stage === 'accepted';
