/** What a process of an engine is told and tells: the forms on both sides. */
import {
  datastore,
  datastoreType,
  endpoint,
  engineFacts,
  Fault,
  messageOf,
  securedEndpoint,
  vaultManifest,
} from '@strongroom/contracts';
import { z } from 'zod';
import { EngineFault, type EngineFaultCode, engineFaultCodes, IncrementalNotPossible } from '../engine-fault.js';

/** The types of frames. `data` goes in both directions: the objects of a backup, and the object of its parent that was asked for. */
export const types = {
  job: 'j',
  begun: 'b',
  result: 'r',
  fault: 'f',
  /** Begins an object of the backup; or asks for an object of the parent. */
  object: 'o',
  data: 'd',
  objectEnd: 'e',
  /** The object of the parent can't be read. */
  unreadable: 'x',
  allObjects: 'z',
} as const;

/** Data come in chunks of a socket, and messages are the facts of a backup at the most. */
export const mostBytes = { data: 4_194_304, message: 67_108_864 };

const { caCertificate, clientCertificate } = securedEndpoint.shape;

export const backupJob = z.object({
  datastoreType,
  target: z.object({
    instanceId: z.string(),
    endpoint: endpoint.extend({
      caCertificate: caCertificate.default(null),
      clientCertificate: clientCertificate.default(null),
    }),
    password: z.string(),
    clientKey: z.string().optional(),
    addresses: z.array(z.string()).optional(),
    isKnown: z.boolean().optional(),
  }),
  backupId: z.string(),
  parent: vaultManifest.nullable(),
});

export const begun = z.object({ estimatedBytes: z.number().nullable() });
export const result = z.object({ datastore, facts: engineFacts });
export const objectName = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,123}$/);

const code = z.enum(Object.keys(engineFaultCodes) as [EngineFaultCode, ...EngineFaultCode[]]);
const toldFault = z.union([
  z.object({ is: z.literal('incremental'), ground: z.string().max(64), message: z.string() }),
  z.object({ is: z.literal('engine'), code, message: z.string(), because: z.string().optional() }),
  z.object({ is: z.literal('other'), message: z.string() }),
]);

export function faultAsText(error: unknown): string {
  const told: z.infer<typeof toldFault> =
    error instanceof IncrementalNotPossible
      ? { is: 'incremental', ground: error.ground, message: error.message }
      : error instanceof EngineFault
        ? { is: 'engine', code: error.code, message: error.message, because: becauseOf(error) }
        : { is: 'other', message: messageOf(error) };
  return JSON.stringify({ ...told, message: told.message.slice(0, mostOfMessage) });
}

const mostOfMessage = 16_384;

/** What the message does not tell, for the operator's log. */
function becauseOf({ cause }: EngineFault): string | undefined {
  return cause === undefined ? undefined : messageOf(cause).slice(0, mostOfMessage);
}

/** @param cause which the process could not carry over */
export function faultFromText(text: string, cause: unknown): Error {
  const told = toldFault.parse(JSON.parse(text));
  if (told.is === 'incremental') return new IncrementalNotPossible(told.ground, told.message, { cause });
  if (told.is === 'engine') {
    const { because } = told;
    return new EngineFault(told.code, told.message, { cause: cause ?? (because && new Error(because)) });
  }
  return cause instanceof Fault ? cause : new Error(told.message, { cause });
}
