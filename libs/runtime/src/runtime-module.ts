/** Provides what every part of an app needs: configuration, log, clock, ids, metrics and health. */
import { type DynamicModule, Module } from '@nestjs/common';
import { Clock, SystemClock } from './clock.js';
import type { AppConfig } from './config.js';
import { Health, HealthController } from './health.js';
import { Ids, RandomIds } from './ids.js';
import type { Logger } from './log.js';
import { Metrics } from './metrics.js';

/** The tokens of Nest for what has no class: `@Inject(configToken) config: AppConfig`. */
export const configToken = Symbol('AppConfig');
export const loggerToken = Symbol('Logger');

export interface RuntimeParts<C extends AppConfig = AppConfig> {
  config: C;
  log: Logger;
  clock: Clock;
  ids: Ids;
  metrics: Metrics;
  health: Health;
}

/** The parts of a real process. A test replaces them by its own. */
export function runtimeParts<C extends AppConfig>(
  config: C,
  log: Logger,
  own: Partial<Pick<RuntimeParts, 'clock' | 'ids' | 'metrics'>> = {},
): RuntimeParts<C> {
  return {
    config,
    log,
    clock: own.clock ?? new SystemClock(),
    ids: own.ids ?? new RandomIds(),
    metrics: own.metrics ?? new Metrics(),
    health: new Health(log),
  };
}

@Module({})
class RuntimeModule {}

export function runtimeModule({ config, log, clock, ids, metrics, health }: RuntimeParts): DynamicModule {
  const providers = [
    { provide: configToken, useValue: config },
    { provide: loggerToken, useValue: log },
    { provide: Clock, useValue: clock },
    { provide: Ids, useValue: ids },
    { provide: Metrics, useValue: metrics },
    { provide: Health, useValue: health },
  ];
  return {
    module: RuntimeModule,
    global: true,
    controllers: [HealthController],
    providers,
    exports: providers.map(({ provide }) => provide),
  };
}
