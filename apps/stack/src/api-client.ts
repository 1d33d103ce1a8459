/** The few calls of the API that the demo makes, as any client would make them. */
import { type BackupResource, backupsResponse, instanceResponse, scheduleResponse } from '@strongroom/contracts';
import { z } from 'zod';

const instanceSeen = z.object({
  instance: instanceResponse.shape.instance.pick({ id: true, hostname: true, port: true }),
});
const schedule = scheduleResponse.shape.schedule.pick({ id: true, copy_to: true });
export type ScheduleSeen = z.infer<typeof schedule>;

export class ApiClient {
  constructor(
    private readonly base: string,
    private readonly token: string,
  ) {}

  /** @returns the instance's id */
  async registerInstance(instance: object): Promise<string> {
    return instanceSeen.parse(await this.call('POST', '/instances', { instance })).instance.id;
  }

  /** `host:port` of a registered server; undefined when there is no such instance. */
  async addressOfInstance(id: string): Promise<string | undefined> {
    const response = await this.response('GET', `/instances/${id}`);
    if (!response.ok) return undefined;
    const { hostname, port } = instanceSeen.parse(await response.json()).instance;
    return `${hostname}:${port}`;
  }

  async scheduleOf(instanceId: string): Promise<ScheduleSeen | undefined> {
    const answer = z.object({ schedules: z.array(schedule) });
    return answer.parse(await this.call('GET', `/schedules?instance_id=${instanceId}`)).schedules[0];
  }

  async createSchedule(fields: object): Promise<ScheduleSeen> {
    return z.object({ schedule }).parse(await this.call('POST', '/schedules', { schedule: fields })).schedule;
  }

  async deleteSchedule(id: string): Promise<void> {
    await this.call('DELETE', `/schedules/${id}`);
  }

  async runNow(scheduleId: string): Promise<void> {
    await this.call('PUT', `/schedules/${scheduleId}`, { schedule: { run_now: true } });
  }

  /** Of a schedule, among the newest of the instance: what somebody asked for beside it is none of its runs. */
  async newestRun(instanceId: string, scheduleId: string): Promise<BackupResource | undefined> {
    const { backups } = backupsResponse.parse(await this.call('GET', `/instances/${instanceId}/backups`));
    return backups.find(({ schedule_id }) => schedule_id === scheduleId);
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
