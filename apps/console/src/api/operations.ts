/**
 * The operations that the console calls. The build gives it the method and the path of each, and none of the schemas: they are for the types
 * alone (`scripts/console.mjs`). No other file of the console imports a value of the contract.
 */

import type { EventType, Operation, PathParameter, QueryName } from '@strongroom/contracts';
import * as contract from '@strongroom/contracts';
import type { z } from 'zod';

/** What there is of an operation in a browser. */
export type Called<O extends Operation = Operation> = Pick<O, 'method' | 'path'> & { readonly of?: O };

/** The body of its success; null when it is empty. */
export type AnswerTo<C> = C extends { readonly of?: { readonly response: infer Response extends z.ZodType } }
  ? z.output<Response>
  : C extends { readonly of?: { readonly answer: infer Answer extends z.ZodType } }
    ? z.output<Answer>
    : null;

/** What a call takes: the parts of its path, its query, and its body. */
export interface AskedOf<C extends Called> {
  parts?: Partial<Record<PathParameter<C['path']>, string>>;
  query?: Partial<Record<QueryName, string | number>>;
  body?: C extends { readonly of?: { readonly request: infer Request extends z.ZodType } } ? z.input<Request> : never;
  headers?: Readonly<Record<string, string>>;
}

export const getConsoleSession: Called<typeof contract.getConsoleSession> = contract.getConsoleSession;
export const postConsoleSession: Called<typeof contract.postConsoleSession> = contract.postConsoleSession;
export const deleteConsoleSession: Called<typeof contract.deleteConsoleSession> = contract.deleteConsoleSession;
export const getRegions: Called<typeof contract.getRegions> = contract.getRegions;
export const getInstances: Called<typeof contract.getInstances> = contract.getInstances;
export const postInstances: Called<typeof contract.postInstances> = contract.postInstances;
export const getSchedules: Called<typeof contract.getSchedules> = contract.getSchedules;
export const getSchedulesId: Called<typeof contract.getSchedulesId> = contract.getSchedulesId;
export const postSchedules: Called<typeof contract.postSchedules> = contract.postSchedules;
export const putSchedulesId: Called<typeof contract.putSchedulesId> = contract.putSchedulesId;
export const getRestorable: Called<typeof contract.getRestorable> = contract.getRestorable;
export const getSchedulesIdRuns: Called<typeof contract.getSchedulesIdRuns> = contract.getSchedulesIdRuns;
export const postSchedulesIdPreview: Called<typeof contract.postSchedulesIdPreview> = contract.postSchedulesIdPreview;
export const getBackups: Called<typeof contract.getBackups> = contract.getBackups;
export const getBackupsId: Called<typeof contract.getBackupsId> = contract.getBackupsId;
export const getExplainId: Called<typeof contract.getExplainId> = contract.getExplainId;
export const postInstancesIdAction: Called<typeof contract.postInstancesIdAction> = contract.postInstancesIdAction;
export const getWebhooks: Called<typeof contract.getWebhooks> = contract.getWebhooks;
export const postWebhooks: Called<typeof contract.postWebhooks> = contract.postWebhooks;
export const getWebhooksId: Called<typeof contract.getWebhooksId> = contract.getWebhooksId;
export const patchWebhooksId: Called<typeof contract.patchWebhooksId> = contract.patchWebhooksId;
export const deleteWebhooksId: Called<typeof contract.deleteWebhooksId> = contract.deleteWebhooksId;
export const postWebhooksIdSecret: Called<typeof contract.postWebhooksIdSecret> = contract.postWebhooksIdSecret;
export const postWebhooksIdTest: Called<typeof contract.postWebhooksIdTest> = contract.postWebhooksIdTest;
export const getWebhooksIdDeliveries: Called<typeof contract.getWebhooksIdDeliveries> =
  contract.getWebhooksIdDeliveries;
export const postWebhooksIdReplay: Called<typeof contract.postWebhooksIdReplay> = contract.postWebhooksIdReplay;
export const getEvents: Called<typeof contract.getEvents> = contract.getEvents;
/** An event of the live stream has its type for a name. */
export const eventTypes: readonly EventType[] = contract.eventTypes;
