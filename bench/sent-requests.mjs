/** The requests that `requests.mjs` measures, with what they have made so far. */
import {
  deleteSchedulesId,
  getSchedulesId,
  pathOf,
  postInstances,
  postSchedules,
} from '../dist/libs/contracts/src/index.js';
import { RandomIds } from '../dist/libs/runtime/src/index.js';
import { load, request } from './load.mjs';

const ids = new RandomIds();
export const timing = { action: 'backup', day_of_week: 2, hour: 3, minute: 30, copy_to: ['IAD', 'ORD'] };
const connection = { host: '127.0.0.1', port: 5432, user: 'backup', password: 'bench', tls: 'disable' };

/** Sends requests, all of which must be answered alike. */
export async function all(stack, status, { connections, count, requestOf }) {
  const answers = await load({ url: stack.api, connections, count, keep: () => true, requestOf });
  if (answers.statuses[status] !== count) {
    throw new Error(`not all were answered ${status}: ${JSON.stringify(answers.statuses)}, ${answers.bodies[0]}`);
  }
  return answers;
}

/** The requests that are measured, with what they have made so far. */
export class Requests {
  made = [];
  deleted = [];
  refused = 0;
  registered = 0;
  #posted = [];
  #used = 0;

  constructor(stack, instances) {
    this.stack = stack;
    this.instances = instances;
    this.path = pathOf(postSchedules, { accountId: stack.accountId });
    this.token = stack.tokens.admin;
  }

  async post(connections, count) {
    const first = this.#used;
    this.#used += count;
    const sent = Array.from({ length: count }, (_, number) => ({
      key: ids.next(),
      body: { schedule: { ...timing, instance_id: this.instances[first + number] } },
    }));
    this.#posted = sent;
    const requestOf = (number) => request('POST', this.path, { token: this.token, ...sent[number] });
    const answers = await all(this.stack, 202, { connections, count, requestOf });
    this.made.push(...answers.bodies.map((body) => JSON.parse(body).schedule.id));
    return answers;
  }

  /** The last requests again, with the same keys. @returns the ids of the schedules that they tell of */
  async postAgain(count) {
    const sent = this.#posted.slice(0, count);
    const requestOf = (number) => request('POST', this.path, { token: this.token, ...sent[number] });
    const { bodies } = await all(this.stack, 202, { connections: 16, count: sent.length, requestOf });
    return bodies.map((body) => JSON.parse(body).schedule.id);
  }

  noOp(connections, count) {
    const body = { schedule: { ...timing, hour: 99, instance_id: this.instances[0] } };
    const requestOf = () => request('POST', this.path, { token: this.token, body });
    return all(this.stack, 400, { connections, count, requestOf });
  }

  /** Nobody has such an instance: the refusal is decided by the ledger, and kept with its key. */
  async refuse(connections, count) {
    this.refused += count;
    const requestOf = () => {
      const body = { schedule: { ...timing, instance_id: ids.next() } };
      return request('POST', this.path, { token: this.token, key: ids.next(), body });
    };
    return all(this.stack, 404, { connections, count, requestOf });
  }

  show(connections, count) {
    const { accountId } = this.stack;
    const there = this.made.slice(this.deleted.length);
    const requestOf = (number) =>
      request('GET', pathOf(getSchedulesId, { accountId, id: there[number] }), { token: this.token });
    return all(this.stack, 200, { connections, count, requestOf });
  }

  async remove(connections, count) {
    const { accountId } = this.stack;
    const gone = this.made.slice(this.deleted.length, this.deleted.length + count);
    this.deleted.push(...gone);
    const requestOf = (number) =>
      request('DELETE', pathOf(deleteSchedulesId, { accountId, id: gone[number] }), {
        token: this.token,
        key: ids.next(),
      });
    return all(this.stack, 202, { connections, count, requestOf });
  }

  async register(connections, count) {
    this.registered += count;
    const body = {
      instance: { name: 'bench-registered', datastore: { type: 'postgresql', version: '18' }, connection },
    };
    const path = pathOf(postInstances, { accountId: this.stack.accountId });
    const requestOf = () => request('POST', path, { token: this.token, key: ids.next(), body });
    return all(this.stack, 200, { connections, count, requestOf });
  }
}
