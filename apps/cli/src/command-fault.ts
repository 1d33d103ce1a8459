/**
 * The errors that a command throws itself. Each says what is wrong and what to do next, and the compiler refuses one that does not: what is
 * next begins with a word that tells somebody to do something.
 */
import { Fault } from '@strongroom/contracts';

type Doing =
  | 'Ask'
  | 'Call'
  | 'Change'
  | 'Compare'
  | 'Do'
  | 'Give'
  | 'Have'
  | 'Install'
  | 'Make'
  | 'Mend'
  | 'Move'
  | 'Name'
  | 'Put'
  | 'Read'
  | 'Run'
  | 'Say'
  | 'See'
  | 'Set'
  | 'Sign'
  | 'Tell'
  | 'Try'
  | 'Use'
  | 'Verify'
  | 'Wait'
  | 'Write';

/** A sentence that says what to do next: the command to run, or what to do by hand. Where it ends with a command, it has no full stop. */
export type Next = `${Doing}${' ' | ': '}${string}`;

export abstract class CommandFault<Code extends string = string> extends Fault<Code> {
  /** @param what is wrong, as a whole sentence */
  constructor(
    code: Code,
    retryable: boolean,
    readonly what: string,
    readonly next: Next,
    options?: { cause?: unknown },
  ) {
    super(code, retryable, withNext(what, next), options);
  }
}

/** The call cannot be carried out as it is written. */
export class UsageFault extends CommandFault<'usage-invalid'> {
  override readonly name = 'UsageFault';

  constructor(what: string, next: Next, options?: { cause?: unknown }) {
    super('usage-invalid', false, what, next, options);
  }
}

/** A token, or the file that keeps it, cannot be used. */
export class CredentialFault extends CommandFault<'credential-unusable'> {
  override readonly name = 'CredentialFault';

  constructor(what: string, next: Next, options?: { cause?: unknown }) {
    super('credential-unusable', false, what, next, options);
  }
}

/** What a command is to work on is not there. */
export class MissingFault extends CommandFault<'missing'> {
  override readonly name = 'MissingFault';

  constructor(what: string, next: Next) {
    super('missing', false, what, next);
  }
}

/** Some of the work was done. */
export class IncompleteFault extends CommandFault<'incomplete'> {
  override readonly name = 'IncompleteFault';

  constructor(what: string, next: Next) {
    super('incomplete', true, what, next);
  }
}

/** Something broke. It ends the command as its cause does. */
export class AdvisedFault extends CommandFault<'advised'> {
  override readonly name = 'AdvisedFault';

  constructor(what: string, next: Next, cause: unknown) {
    super('advised', cause instanceof Fault && cause.retryable, what, next, { cause });
  }
}

/** The user has ended the command by a signal, and knows what is next. */
export class Interrupted extends Fault<'interrupted'> {
  override readonly name = 'Interrupted';

  constructor(signal: string) {
    super('interrupted', false, `It was ended by ${signal}.`);
  }
}

/** What is wrong, and what is next: in a line of its own behind what is no sentence, such as a command that somebody copies. */
export function withNext(what: string, next: Next): string {
  const isSentence = /[.!?:]$/.test(what) && !what.includes('\n');
  return `${what}${isSentence ? ' ' : '\n'}${next}`;
}
