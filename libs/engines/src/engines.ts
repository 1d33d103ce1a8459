/** Says which engine takes care of which kind of server. Nothing else names an engine: a new one is its folder and a line here. */
import type { DatastoreType } from '@strongroom/contracts';
import type { Engine, EngineWithoutBackups } from './engine.js';
import { PostgresqlEngine } from './postgresql/postgresql-engine.js';

const engines: Readonly<Record<DatastoreType, Engine>> = {
  postgresql: new PostgresqlEngine(),
};

export type EngineFor = (type: DatastoreType) => EngineWithoutBackups;

export const engineFor: EngineFor = (type) => engines[type];

/** For the processes of engines, and for tests. An app gets it over no door. */
export const wholeEngineFor = (type: DatastoreType): Engine => engines[type];

export const allEngines: readonly EngineWithoutBackups[] = Object.values(engines);
