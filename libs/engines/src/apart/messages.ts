/** What a process of an engine is told and tells: the forms on both sides. */
import {
  datastore,
  datastoreType,
  encryptionFormat,
  endpoint,
  engineFacts,
  Fault,
  messageOf,
  regionName,
  securedEndpoint,
  sha256Hex,
  vaultManifest,
} from '@strongroom/contracts';
import { VaultFault, type VaultFaultCode, vaultFaultCodes } from '@strongroom/vault';
import { z } from 'zod';
import { EngineFault, type EngineFaultCode, engineFaultCodes, IncrementalNotPossible } from '../engine-fault.js';
import type { SealedBackup } from '../open-backup.js';

/** The types of frames. `data` goes in both directions: what the process makes, and the objects of backups that it has asked for. */
export const types = {
  job: 'j',
  /** Nothing else was to be told for a while. */
  alive: 'a',
  begun: 'b',
  /** How far a log-in has come. */
  login: 'l',
  result: 'r',
  /** So many bytes were written since the last time. */
  progress: 'p',
  fault: 'f',
  /** Begins an object of the backup; or asks for an object of one in the vault. */
  object: 'o',
  data: 'd',
  objectEnd: 'e',
  /** No more of the object is needed. It is ended in the usual way then. */
  enough: 'n',
  /** The object can't be read. */
  unreadable: 'x',
  allObjects: 'z',
} as const;

/** Data come in chunks of a socket, and messages are the facts of a backup at the most. */
export const mostBytes = { data: 4_194_304, message: 67_108_864 };
export const aliveMs = 1_000;
/** Tells a process to end its work, and to remove what it has made. */
export const endSignal = 'SIGUSR2';

const { caCertificate, clientCertificate } = securedEndpoint.shape;
const fileKey = z.base64().transform((text) => Buffer.from(text, 'base64'));
const sealedBackup = z.object({
  manifest: vaultManifest,
  sha256: sha256Hex,
  region: regionName,
  keys: z
    .object({
      format: encryptionFormat,
      backup: fileKey.optional(),
      chain: fileKey,
      forChain: z.array(z.string()),
    })
    .optional(),
});

const backupJob = z.object({
  is: z.literal('backup'),
  datastoreType,
  target: z.object({
    instanceId: z.string(),
    endpoint: endpoint.extend({
      caCertificate: caCertificate.default(null),
      clientCertificate: clientCertificate.default(null),
    }),
    password: z.string(),
    clientKey: z.string().optional(),
    addresses: z.array(z.string()).readonly().optional(),
    isKnown: z.boolean().optional(),
  }),
  backupId: z.string(),
  parent: sealedBackup.nullable(),
});
export type BackupJob = z.infer<typeof backupJob>;

const restoreJob = z.object({
  is: z.literal('restore'),
  datastoreType,
  chain: z.array(sealedBackup),
  directory: z.string(),
  options: z.object({
    places: z.array(z.tuple([z.string(), z.string()])),
    standsAlone: z.boolean(),
    checksPages: z.boolean().optional(),
    acceptsBadPages: z.boolean(),
  }),
});
export type RestoreJob = z.infer<typeof restoreJob>;

/** What of a backup goes to a process. */
export function sealed({ manifest, sha256, region, keys }: SealedBackup): z.input<typeof sealedBackup> {
  if (!keys) return { manifest, sha256, region };
  const { format, backup, chain, forChain } = keys;
  const texts = {
    format,
    backup: backup?.toString('base64'),
    chain: chain.toString('base64'),
    forChain: [...forChain],
  };
  return { manifest, sha256, region, keys: texts };
}

export const job = z.discriminatedUnion('is', [backupJob, restoreJob]);
export type Job = z.input<typeof job>;

export const login = z.discriminatedUnion('is', [
  z.object({ is: z.literal('asked') }),
  z.object({ is: z.literal('let-in'), address: z.string().max(128) }),
]);
export const begun = z.object({ estimatedBytes: z.number().nullable() });
export const result = z.object({ datastore, facts: engineFacts });
export const restored = z.object({
  files: z.int().nonnegative(),
  bytes: z.number().nonnegative(),
  outside: z.array(z.string()),
  changed: z.array(z.string()),
  warnings: z.array(z.string()),
  advice: z.array(z.string()),
});
export const progress = z.number().nonnegative();
/** Objects that a process gives have a shorter name than in the vault, where `.zst` is added. */
export const objectName = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,123}$/);
/** An object that a process asks for, of the backup at this place of what it was given. */
export const askedObject = z.object({ backup: z.int().nonnegative(), name: z.string().max(128) });

const code = z.enum(Object.keys(engineFaultCodes) as [EngineFaultCode, ...EngineFaultCode[]]);
const vaultCode = z.enum(Object.keys(vaultFaultCodes) as [VaultFaultCode, ...VaultFaultCode[]]);
const message = z.string();
const ofVault = z.object({
  is: z.literal('vault'),
  code: vaultCode,
  region: z.string().max(64),
  message,
  told: message,
});
const toldFault = z.union([
  z.object({ is: z.literal('incremental'), ground: z.string().max(64), message, cause: ofVault.optional() }),
  z.object({ is: z.literal('engine'), code, message, told: message, because: message.optional() }),
  ofVault,
  z.object({ is: z.literal('other'), message }),
]);
const mostOfMessage = 16_384;

export function faultAsText(error: unknown): string {
  return JSON.stringify(told(error));
}

function told(error: unknown): z.infer<typeof toldFault> {
  if (error instanceof IncrementalNotPossible) {
    const cause = error.cause instanceof VaultFault ? toldByVault(error.cause) : undefined;
    return { is: 'incremental', ground: error.ground, message: cut(error.message), cause };
  }
  if (error instanceof VaultFault) return toldByVault(error);
  if (!(error instanceof EngineFault)) return { is: 'other', message: cut(messageOf(error)) };
  return { is: 'engine', code: error.code, ...textsOf(error), because: becauseOf(error) };
}

function toldByVault(fault: VaultFault): z.infer<typeof ofVault> {
  return { is: 'vault', code: fault.code, region: fault.region, ...textsOf(fault) };
}

function textsOf({ message, told }: Fault): { message: string; told: string } {
  return { message: cut(message), told: cut(told) };
}

/** What the message does not tell, for the operator's log. */
function becauseOf({ cause }: EngineFault): string | undefined {
  return cause === undefined ? undefined : cut(messageOf(cause));
}

function cut(text: string): string {
  return text.slice(0, mostOfMessage);
}

/** @param unreadable why an object could not be read. The process can't carry all of it */
export function faultFromText(text: string, unreadable?: unknown): Error {
  const fault = toldFault.parse(JSON.parse(text));
  if (fault.is === 'incremental') {
    return new IncrementalNotPossible(fault.ground, fault.message, {
      cause: unreadable ?? (fault.cause && vaultFaultFrom(fault.cause)),
    });
  }
  if (fault.is === 'engine') {
    const { because, told } = fault;
    return new EngineFault(fault.code, fault.message, { told, cause: unreadable ?? (because && new Error(because)) });
  }
  if (unreadable instanceof Fault) return unreadable;
  if (fault.is === 'vault') return vaultFaultFrom(fault, unreadable);
  return new Error(fault.message, { cause: unreadable });
}

function vaultFaultFrom({ code, region, message, told }: z.infer<typeof ofVault>, cause?: unknown): VaultFault {
  return new VaultFault(code, region, message, { told, cause });
}
