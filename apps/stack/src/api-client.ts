/** The few calls of the API that the demo makes, as any client would make them. */
import { z } from 'zod';

const copy = z.object({
  region: z.string(),
  status: z.string(),
  progress: z.number(),
  size_bytes: z.number().nullable(),
  checksum: z.string().nullable(),
  verified: z.boolean(),
  started: z.string().nullable(),
  completed: z.string().nullable(),
  fault: z.object({ message: z.string() }).nullable(),
});
const backup = z.object({
  id: z.string(),
  name: z.string(),
  status: z.string(),
  progress: z.number(),
  size_bytes: z.number().nullable(),
  checksum: z.string().nullable(),
  started: z.string().nullable(),
  completed: z.string().nullable(),
  fault: z.object({ message: z.string() }).nullable(),
  copies: z.array(copy),
});
export type BackupSeen = z.infer<typeof backup>;

export class ApiClient {
  constructor(
    private readonly base: string,
    private readonly token: string,
  ) {}

  /** @returns the instance's id */
  async registerInstance(instance: object): Promise<string> {
    const answer = z.object({ instance: z.object({ id: z.string() }) });
    return answer.parse(await this.call('POST', '/instances', { instance })).instance.id;
  }

  /** Undefined when there is no such instance. */
  async portOfInstance(id: string): Promise<number | undefined> {
    const response = await this.response('GET', `/instances/${id}`);
    if (!response.ok) return undefined;
    return z.object({ instance: z.object({ port: z.int() }) }).parse(await response.json()).instance.port;
  }

  async scheduleOf(instanceId: string): Promise<string | undefined> {
    const answer = z.object({ schedules: z.array(z.object({ id: z.string() })) });
    return answer.parse(await this.call('GET', `/schedules?instance_id=${instanceId}`)).schedules[0]?.id;
  }

  /** @returns the schedule's id */
  async createSchedule(schedule: object): Promise<string> {
    const answer = z.object({ schedule: z.object({ id: z.string() }) });
    return answer.parse(await this.call('POST', '/schedules', { schedule })).schedule.id;
  }

  async runNow(scheduleId: string): Promise<void> {
    await this.call('PUT', `/schedules/${scheduleId}`, { schedule: { run_now: true } });
  }

  async newestBackup(instanceId: string): Promise<BackupSeen | undefined> {
    const answer = z.object({ backups: z.array(backup) });
    return answer.parse(await this.call('GET', `/instances/${instanceId}/backups?limit=1`)).backups[0];
  }

  private async call(method: string, path: string, body?: object): Promise<unknown> {
    const response = await this.response(method, path, body);
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path} was answered ${response.status}: ${text}`);
    return text === '' ? undefined : JSON.parse(text);
  }

  private response(method: string, path: string, body?: object): Promise<Response> {
    return fetch(`${this.base}${path}`, {
      method,
      headers: { 'x-auth-token': this.token, ...(body && { 'content-type': 'application/json' }) },
      ...(body && { body: JSON.stringify(body) }),
    });
  }
}
