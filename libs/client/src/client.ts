/**
 * The client of Strongroom's HTTP API. Methods, paths, types and schemas come from the operations of the contract: a new
 * operation needs no line here.
 *
 *     const client = new Client({ baseUrl: 'http://127.0.0.1:8779', accountId: 'demo', token });
 *     const schedule = await client.schedules.create({ action: 'backup', instance_id, day_of_week: 0, hour: 3, minute: 30 });
 *     for await (const backup of client.backups.list({ status: 'COMPLETED' })) console.log(backup.id, backup.checksum);
 *
 * `call` makes every operation, and gives the status and the headers beside the body. The methods of a noun give the
 * resource alone. Both throw an `ApiFault` when the service does not do what was asked, and pass on what `fetch` throws
 * when the service cannot be reached. No call is sent a second time. A caller that repeats one sends the same
 * `idempotencyKey` with it.
 */
import { AuditCalls } from './audit.js';
import { BackupCalls } from './backups.js';
import { EventCalls } from './events.js';
import { ExplanationCalls } from './explanations.js';
import { InstanceCalls } from './instances.js';
import { OperationCaller } from './operation-caller.js';
import { ScheduleCalls } from './schedules.js';
import { WebhookCalls } from './webhooks.js';

export class Client extends OperationCaller {
  readonly instances = new InstanceCalls(this);
  readonly schedules = new ScheduleCalls(this);
  readonly backups = new BackupCalls(this);
  readonly events = new EventCalls(this);
  readonly audit = new AuditCalls(this);
  readonly explanations = new ExplanationCalls(this);
  readonly webhooks = new WebhookCalls(this);
}
