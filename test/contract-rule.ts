/** A rule of the contract, and how a test that shows it is named: by its spec, and its title as the source has it. */
export interface Rule {
  rule: string;
  shown: readonly (readonly [spec: string, title: string])[];
}

export const api = (spec: string, title: string) => [`apps/api/src/${spec}`, title] as const;
export const whole = (spec: string, title: string) => [`test/${spec}.spec.ts`, title] as const;
export const schedules = (title: string) => api('schedules.int.spec.ts', title);
export const backups = (title: string) => api('backups.int.spec.ts', title);
export const deletion = (title: string) => api('deletion.int.spec.ts', title);
export const regions = (title: string) => api('regions.int.spec.ts', title);
export const edge = (title: string) => api('edge.int.spec.ts', title);
export const limits = (title: string) => api('limits.int.spec.ts', title);
export const runs = (title: string) => api('runs.int.spec.ts', title);
export const every = (title: string) => api('every-operation.int.spec.ts', title);
export const parse = (title: string) => api('parse.spec.ts', title);
export const clients = (title: string) => api('known-clients.int.spec.ts', title);
export const lineages = (title: string) => api('lineages.int.spec.ts', title);
export const scheduler = (spec: string, title: string) => [`apps/scheduler/src/${spec}`, title] as const;
export const retention = (title: string) => ['libs/domain/src/retention.spec.ts', title] as const;
export const slots = (title: string) => ['libs/domain/src/slots.spec.ts', title] as const;
