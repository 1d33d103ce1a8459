/** A rule of the contract, and the tests that show it. A test is named by its spec and by its title in the source. */
export interface Rule {
  rule: string;
  shown: readonly (readonly [spec: string, title: string])[];
}

export const api = (spec: string, title: string) => [`apps/api/src/${spec}`, title] as const;
export const whole = (spec: string, title: string) => [`test/${spec}.spec.ts`, title] as const;
export const schedules = (title: string) => api('schedules/schedules.int.spec.ts', title);
export const backups = (title: string) => api('backups/backups.int.spec.ts', title);
export const listOfBackups = (title: string) => api('backups/list.int.spec.ts', title);
export const deletion = (title: string) => api('backups/deletion.int.spec.ts', title);
export const retries = (title: string) => api('backups/retries.int.spec.ts', title);
export const regions = (title: string) => api('copies/regions.int.spec.ts', title);
export const edge = (title: string) => api('edge/edge.int.spec.ts', title);
export const limits = (title: string) => api('edge/limits.int.spec.ts', title);
export const quotas = (title: string) => api('edge/quotas.int.spec.ts', title);
export const lost = (title: string) => api('edge/lost-answers.int.spec.ts', title);
export const runs = (title: string) => api('schedules/runs.int.spec.ts', title);
export const every = (title: string) => api('edge/every-operation.int.spec.ts', title);
export const parse = (title: string) => api('edge/parse.spec.ts', title);
export const clients = (title: string) => api('edge/known-clients.int.spec.ts', title);
export const changes = (title: string) => api('instances/changes.int.spec.ts', title);
export const tests = (title: string) => api('instances/connection-tests.int.spec.ts', title);
export const lineages = (title: string) => api('instances/lineages.int.spec.ts', title);
export const scheduler = (spec: string, title: string) => [`apps/scheduler/src/${spec}`, title] as const;
export const retention = (title: string) => ['libs/domain/src/retention.spec.ts', title] as const;
export const slots = (title: string) => ['libs/domain/src/slots.spec.ts', title] as const;
