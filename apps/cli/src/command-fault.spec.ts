import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { ApiFault } from '@strongroom/client';
import { faultCodes, refusalCodes } from '@strongroom/contracts';
import { EncryptionFault, encryptionFaultCodes } from '@strongroom/encryption';
import { EngineFault, engineFaultCodes } from '@strongroom/engines';
import { notHeld, VaultFault, vaultFaultCodes } from '@strongroom/vault';
import { nextOn } from './api/session.js';
import { type Next, UsageFault } from './command-fault.js';
import { nextAfter } from './next-step.js';

type Tells<Text extends string> = Text extends Next ? 'what to do' : 'nothing';
/** The compiler refuses these as what is next, so it refuses an error that has no more. */
const refused: [Tells<''>, Tells<'The log says why.'>, Tells<'Nothing was done.'>] = ['nothing', 'nothing', 'nothing'];
const taken: [Tells<'Run: strongroom login'>, Tells<'Try again.'>] = ['what to do', 'what to do'];

const sources = readdirSync(__dirname, { recursive: true, encoding: 'utf8' })
  .filter((path) => path.endsWith('.ts') && !path.endsWith('.spec.ts'))
  .map((path) => ({ path, text: readFileSync(join(__dirname, path), 'utf8') }));

/** These say what is next: those of `command-fault.ts` by their type, and the others where the program tells them. */
const telling = ['UsageFault', 'CredentialFault', 'MissingFault', 'IncompleteFault', 'AdvisedFault', 'VaultFault'];
/** The parser of the call adds the way to the help. */
const ofParser = 'InvalidArgumentError';
/** A mistake of ours, which nobody can call forth. */
const ofOurs = 'TypeError';

describe('an error that a command ends with', () => {
  it('says what is wrong first, and then what to do', () => {
    expect(new UsageFault('It has no name.', 'Give one: --name NAME').message).toBe(
      'It has no name. Give one: --name NAME',
    );
    const copied = 'It is not empty. To empty it: find /x -mindepth 1 -delete';
    expect(new UsageFault(copied, 'Run it again.').message).toBe(`${copied}\nRun it again.`);
    expect([...refused, ...taken]).toHaveLength(5);
  });

  it('is thrown as one that says what to do, wherever a command throws its own', () => {
    const thrown = sources.flatMap(({ path, text }) =>
      [...text.matchAll(/\bthrow new (\w+)/g)].map(([, name = '']) => ({ path, name })),
    );
    expect(thrown.length).toBeGreaterThan(50);
    expect(thrown.filter(({ name }) => ![...telling, ofParser, ofOurs].includes(name))).toEqual([]);
  });

  it('is no bare code: what ends a command otherwise says what to do, too', () => {
    const setting = sources.filter(({ text }) => text.includes('process.exitCode')).map(({ path }) => path);
    expect(setting.sort()).toEqual(['exit-codes.ts', 'program.ts']);
  });
});

describe('what is next', () => {
  const told = /^[A-Z][a-z]+:? .*(strongroom [a-z]|--[a-z]|[a-z0-9]\.$)/;

  it('is said after every fault of a vault, of encryption and of an engine', () => {
    const faults = [
      notHeld('01a2', 'IAD'),
      ...(Object.keys(vaultFaultCodes) as (keyof typeof vaultFaultCodes)[]).map(
        (code) => new VaultFault(code, 'IAD', 'why'),
      ),
      ...(Object.keys(encryptionFaultCodes) as (keyof typeof encryptionFaultCodes)[]).map(
        (code) => new EncryptionFault(code, 'why'),
      ),
      ...(Object.keys(engineFaultCodes) as (keyof typeof engineFaultCodes)[]).map(
        (code) => new EngineFault(code, 'why'),
      ),
      new Error('what nobody foresaw'),
    ];
    for (const fault of faults) expect(nextAfter(fault)).toMatch(told);
    expect(nextAfter(notHeld('01a2', 'IAD'))).toBe('See what the vault holds: strongroom list --from IAD');
  });

  it('is said after every answer of the service that is no success, with a command or a time', () => {
    const connection = { url: 'https://a.example.com', account: 'acme', token: 't', profile: 'home' };
    const answeredBy = (status: number, body: unknown, headers: Record<string, string> = {}) =>
      nextOn(ApiFault.of('GET it', { status, headers: new Headers(headers), body }), 'backup', connection);
    for (const [type, status] of Object.entries(faultCodes)) {
      expect(answeredBy(status, { [type]: { code: status, message: 'No.' } }, { 'x-request-id': 'r' })).toMatch(told);
      for (const refusal of refusalCodes)
        expect(answeredBy(status, { [type]: { code: status, message: 'No.', refusal } })).toMatch(told);
    }
    expect(answeredBy(413, {}, { 'retry-after': '3' })).toBe('Try again in 3 s.');
    const running = { code: 422, message: 'It runs.', refusal: 'backup-running-for-instance' };
    expect(answeredBy(422, { unprocessableEntity: running })).toBe(
      'Run it again later. See how far that is: strongroom backup list',
    );
    const held = { code: 422, message: 'It is on hold.', refusal: 'backup-on-hold' };
    expect(answeredBy(422, { unprocessableEntity: held })).toBe('See what there is: strongroom backup list');
    expect(answeredBy(422, { unprocessableEntity: { code: 422, message: 'No.' } })).toContain(
      'strongroom backup --help',
    );
    expect(answeredBy(401, { unauthorized: { code: 401, message: 'No.' } })).toContain(
      'strongroom login --profile home',
    );
    expect(answeredBy(500, '<h1>Oh</h1>')).toContain('strongroom profile list');
  });
});
