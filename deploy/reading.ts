// Reads variables out of an environment by the table and collects what is wrong with them.
import { readFileSync } from 'node:fs';
import type { Finding, FindingCause } from './findings.ts';
import { shapeOf } from './fingerprint.ts';
import { inspect, inspectControlCharacters, inspectJson, type Suspicion } from './mangled.ts';
import { parse, type Values } from './parse.ts';
import { type Variable, type VariableName, type variables, variableTable } from './variables.ts';

export type Source = Readonly<Record<string, string | undefined>>;

type Entry<Name extends VariableName> = (typeof variables)[Name];
type Value<Name extends VariableName> =
  Entry<Name> extends { type: 'choice'; options: readonly (infer Word)[] }
    ? Word
    : Values[Entry<Name>['type']];

/** The forms a variable may come in. */
const forms = ['', '_FILE', '_BASE64'] as const;
type Form = (typeof forms)[number];

type Given = { setAs: string; form: Form; text: string };

/** One pass over an environment. Whatever is wrong lands in `findings`; a wrong value is read as undefined, never as its default. */
export type Reading = {
  readonly findings: Finding[];
  /** The value or the default. Undefined when it is missing or wrong. */
  optional<Name extends VariableName>(name: Name): Value<Name> | undefined;
  /** The same where missing is a problem, too. Typed as if all were well: look at `findings` before using it. */
  required<Name extends VariableName>(name: Name): Value<Name>;
  isMissing(name: VariableName): boolean;
  addMissing(name: VariableName): void;
  add(name: VariableName, suspicion: Suspicion): void;
};

// Long because its small functions share what was read and found in one pass.
export function openReading(source: Source): Reading {
  const findings: Finding[] = [];
  const alreadyRead = new Map<VariableName, unknown>();

  function optional<Name extends VariableName>(name: Name): Value<Name> | undefined {
    if (!alreadyRead.has(name)) alreadyRead.set(name, readOnce(name));
    return alreadyRead.get(name) as Value<Name> | undefined;
  }

  function readOnce(name: VariableName): unknown {
    const variable = entry(name);
    const given = pick(name, variable);
    if (given === 'conflict') return undefined;
    const text = given ? unwrap(given) : variable.default;
    if (text === undefined) return undefined;

    // What comes as file or base64 was encoded on purpose; only what no value may hold is looked for.
    const suspicions = !given
      ? []
      : variable.type === 'service-account'
        ? inspectJson(text)
        : given.form === ''
          ? inspect(text, {
              isPassword: isPassword(variable),
              ...(variable.options && { words: variable.options }),
            })
          : inspectControlCharacters(text);
    const setAs = given?.setAs ?? name;
    for (const suspicion of suspicions) report(setAs, text, variable, suspicion);
    if (suspicions.some(({ severity }) => severity === 'problem')) return undefined;

    const parsed = parse(variable.type, text, variable.options);
    if ('value' in parsed) return parsed.value;
    report(setAs, text, variable, { severity: 'problem', ...parsed.mistake });
    return undefined;
  }

  function required<Name extends VariableName>(name: Name): Value<Name> {
    if (isMissing(name)) addMissing(name);
    return optional(name) as Value<Name>;
  }

  function isMissing(name: VariableName): boolean {
    const variable = entry(name);
    return variable.default === undefined && listGiven(source, name, variable).length === 0;
  }

  function addMissing(name: VariableName): void {
    if (findings.some(({ variable, cause }) => variable === name && absences.has(cause))) return;
    const variable = entry(name);
    const blank = [name, ...(variable.aliases ?? [])].find((spelling) => source[spelling] !== undefined);
    findings.push({
      variable: name,
      severity: 'problem',
      problem: blank ? 'is set but blank' : 'is missing',
      shape: blank ? shapeOf(source[blank] ?? '') : 'not set',
      fix: variable.help,
      cause: blank ? 'env-blank' : 'env-missing',
    });
  }

  /** Which of the spellings and forms counts; more than one with a say of its own is a conflict. */
  function pick(name: string, variable: Variable): Given | undefined | 'conflict' {
    const [first, ...others] = listGiven(source, name, variable);
    if (!first) return undefined;
    const otherForm = others.find(({ form }) => form !== first.form);
    if (otherForm) {
      report(otherForm.setAs, otherForm.text, variable, {
        severity: 'problem',
        problem: `is set together with ${first.setAs}`,
        fix: 'Keep exactly one of them.',
        cause: 'env-two-sources',
      });
      return 'conflict';
    }
    const otherText = others.find(({ text }) => text !== first.text);
    if (otherText) {
      report(otherText.setAs, otherText.text, variable, {
        severity: 'problem',
        problem: `has another value than ${first.setAs}, and both mean the same`,
        fix: `Keep ${first.setAs} and remove ${otherText.setAs}.`,
        cause: 'env-alias-conflict',
      });
      return 'conflict';
    }
    return first;
  }

  function unwrap({ setAs, form, text }: Given): string | undefined {
    if (form === '') return text;
    const content = form === '_FILE' ? readSecretFile(text) : decodeBase64(text);
    if (typeof content === 'string') return content;
    findings.push({ variable: setAs, severity: 'problem', shape: shapeOf(text), ...content });
    return undefined;
  }

  function report(setAs: string, text: string, variable: Variable, suspicion: Suspicion): void {
    const isFileName = setAs.endsWith('_FILE') && variable.secret === true;
    findings.push({
      variable: setAs,
      severity: suspicion.severity,
      problem: suspicion.problem,
      shape: shapeOf(text, { secret: variable.secret === true && !isFileName }),
      fix: suspicion.fix.replaceAll('NAME_', `${setAs}_`),
      cause: suspicion.cause,
    });
  }

  function add(name: VariableName, suspicion: Suspicion): void {
    const variable = entry(name);
    const [given] = listGiven(source, name, variable);
    if (given) report(given.setAs, given.text, variable, suspicion);
    else findings.push({ variable: name, shape: 'not set', ...suspicion });
  }

  return { findings, optional, required, isMissing, addMissing, add };
}

const absences = new Set<FindingCause>(['env-missing', 'env-blank']);

/** Every way in which the variable is set and not blank: canonical name and aliases, plain, as file, as base64. */
export function listGiven(source: Source, name: string, variable: Variable): Given[] {
  return spellings(name, variable).flatMap(({ setAs, form }) => {
    const text = source[setAs];
    // Blank is missing: platforms inject `KEY=` for what was never filled in.
    return text === undefined || text.trim() === '' ? [] : [{ setAs, form, text }];
  });
}

/** All names a variable may be set under. */
export function spellings(name: string, variable: Variable): { setAs: string; form: Form }[] {
  const allowed = variable.secret ? forms : ([''] as const);
  return allowed.flatMap((form) =>
    [name, ...(variable.aliases ?? [])].map((spelling) => ({ setAs: `${spelling}${form}`, form })),
  );
}

function entry(name: VariableName): Variable {
  return variableTable[name] as Variable;
}

/** An address may be a secret for the password inside it, but has rules of its own about characters. */
function isPassword({ secret, type }: Variable): boolean {
  return secret === true && !type.endsWith('url') && type !== 'service-account';
}

type Unreadable = Pick<Finding, 'problem' | 'fix' | 'cause'>;

/** The line end that editors put at the end of a file belongs to the file, not to the secret. */
function readSecretFile(path: string): string | Unreadable {
  try {
    const content = readFileSync(path, 'utf8').replace(/\r?\n$/, '');
    if (content.trim() !== '') return content;
    return { problem: 'names an empty file', fix: 'Put the value into the file.', cause: 'env-blank' };
  } catch (error) {
    return {
      problem: `names a file that cannot be read: ${(error as NodeJS.ErrnoException).code}`,
      fix: 'Type the path of the file as this process sees it, and let the process read it.',
      cause: 'env-file-unreadable',
    };
  }
}

function decodeBase64(text: string): string | Unreadable {
  const unreadable: Unreadable = {
    problem: 'is not base64 of a text',
    fix: "Encode the value with: printf %s 'the value' | base64 -w0",
    cause: 'env-base64-garbage',
  };
  // Node skips whatever is not base64, which would be a silent repair: what comes out must go back in.
  const decoded = Buffer.from(text, 'base64');
  if (decoded.toString('base64').replace(/=+$/, '') !== text.replace(/=+$/, '')) return unreadable;
  const content = decoded.toString('utf8');
  return content !== '' && Buffer.from(content).equals(decoded) ? content : unreadable;
}
