import { describe, expect, it } from '@jest/globals';
import { ApiFault } from '@strongroom/client';
import { faultCodes, refusalCodes } from '@strongroom/contracts';
import { EncryptionFault, encryptionFaultCodes } from '@strongroom/encryption';
import { EngineFault, engineFaultCodes } from '@strongroom/engines';
import { notHeld, VaultFault, vaultFaultCodes } from '@strongroom/vault';
import { CommanderError } from 'commander';
import {
  AdvisedFault,
  CredentialFault,
  IncompleteFault,
  Interrupted,
  MissingFault,
  UsageFault,
} from './command-fault.js';
import { answerList, exitCodeOf } from './endings.js';
import { exitCodes } from './exit-codes.js';
import { strongroomProgram } from './program.js';

interface Told {
  headers?: Record<string, string>;
  refusal?: string;
}

function answered(status: number, { headers = {}, refusal }: Told = {}): ApiFault {
  const [type = 'foreign'] = Object.entries(faultCodes).find(([, code]) => code === status) ?? [];
  const body = { [type]: { code: status, message: 'No.', ...(refusal !== undefined && { refusal }) } };
  return ApiFault.of('GET it', { status, headers: new Headers(headers), body });
}

describe('the code that a command ends with', () => {
  it.each([
    [0, new CommanderError(0, 'commander.help', 'help')],
    [1, new Error('what nobody foresaw')],
    [11, new TypeError('fetch failed', { cause: new Error('connect ECONNREFUSED 127.0.0.1:1') })],
    [2, new CommanderError(1, 'commander.unknownOption', 'no such option')],
    [2, new UsageFault('It is wrong.', 'See the help.')],
    [3, new IncompleteFault('Not all of it.', 'Run it again.')],
    [10, new MissingFault('It is not there.', 'See the list.')],
    [12, new CredentialFault('No token.', 'Sign in.')],
    [12, new EncryptionFault('key-missing', 'no key opens it')],
    [13, new EncryptionFault('ciphertext-altered', 'altered')],
    [10, notHeld('01a215f5-0090-7120-90cc-35f918ba38c7', 'IAD')],
    [10, new VaultFault('object-missing', 'IAD', 'the parent', { cause: notHeld('01a2', 'IAD') })],
    [13, new VaultFault('object-missing', 'IAD', 'one object of it')],
    [13, new VaultFault('object-altered', 'IAD', 'other bytes')],
    [1, new VaultFault('vault-unavailable', 'IAD', 'away')],
    [13, new EngineFault('backup-content-invalid', 'a page is bad')],
    [130, new EngineFault('cancelled', 'the restore was cancelled')],
    [130, new Interrupted('SIGINT')],
  ])('is %i after %s', (code, error) => {
    expect(exitCodeOf(error)).toBe(code);
    expect(exitCodeOf(new AdvisedFault('It went wrong.', 'Try again.', error))).toBe(code);
  });

  it.each([
    [2, 400],
    [12, 401],
    [12, 403],
    [10, 404],
    [2, 405],
    [11, 409],
    [1, 412],
    [1, 413],
    [2, 415],
    [1, 422],
    [1, 500],
    [1, 501],
    [11, 502],
    [11, 503],
    [11, 504],
  ])('is %i after an answer of %i', (code, status) => {
    expect(exitCodeOf(answered(status))).toBe(code);
  });

  it('is that of a busy service after any answer that says when to ask again', () => {
    for (const status of [413, 422, 429])
      expect(exitCodeOf(answered(status, { headers: { 'retry-after': '3' } }))).toBe(exitCodes.busy);
  });

  it('is that of something that is in the way after a refusal that passes by itself, and that of the fault after any other', () => {
    const busy = refusalCodes.filter((refusal) => exitCodeOf(answered(422, { refusal })) === exitCodes.busy);
    expect(busy).toEqual([
      'instance-being-built',
      'backup-running-for-instance',
      'backup-still-running',
      'backup-not-yet-completed',
    ]);
    expect(exitCodeOf(answered(409, { refusal: 'backup-not-completed' }))).toBe(exitCodes.failed);
    for (const refusal of ['backup-on-hold', 'of-a-newer-service', 'toString'])
      expect(exitCodeOf(answered(422, { refusal }))).toBe(exitCodes.failed);
    expect(exitCodeOf(answered(404, { refusal: 'instance-unknown' }))).toBe(exitCodes.notFound);
  });

  it('is on the page for each fault, and for each refusal that ends a command otherwise', () => {
    for (const [type, status] of Object.entries(faultCodes).filter(([, each]) => each !== 503))
      expect(answerList).toContainEqual({ answer: `${status} \`${type}\``, code: exitCodeOf(answered(status)) });
    const refusals = answerList.filter(({ answer }) => answer.startsWith('the refusal'));
    expect(refusals.map(({ answer }) => answer)).toContain('the refusal `backup-running-for-instance`');
    expect(refusals).toHaveLength(5);
  });

  it('is one of those that the help shows, which are all', () => {
    const known: number[] = Object.values(exitCodes);
    for (const code of Object.keys(vaultFaultCodes) as (keyof typeof vaultFaultCodes)[])
      expect(known).toContain(exitCodeOf(new VaultFault(code, 'IAD', 'why')));
    for (const code of Object.keys(encryptionFaultCodes) as (keyof typeof encryptionFaultCodes)[])
      expect(known).toContain(exitCodeOf(new EncryptionFault(code, 'why')));
    for (const code of Object.keys(engineFaultCodes) as (keyof typeof engineFaultCodes)[])
      expect(known).toContain(exitCodeOf(new EngineFault(code, 'why')));
    let help = '';
    strongroomProgram()
      .configureOutput({ writeOut: (text) => (help += text) })
      .outputHelp();
    expect(help).toContain(
      '0 done, 1 failed, 2 usage, 3 incomplete, 10 not found, 11 busy, 12 credentials, 13 altered, 130 interrupted',
    );
  });
});
