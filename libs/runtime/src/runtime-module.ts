/** Provides what every part of an app needs: configuration, log, clock, ids, metrics and health. */
import { type DynamicModule, Module } from '@nestjs/common';
import { Clock, SystemClock } from './clock.js';
import type { AppConfig } from './config.js';
import { Health, HealthController, MetricsController } from './health.js';
import { Ids, RandomIds } from './ids.js';
import { configToken, loggerToken } from './injected.js';
import type { Logger } from './log.js';
import { Metrics } from './metrics.js';

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
    controllers: config.privateHttp === undefined ? [HealthController, MetricsController] : [HealthController],
    providers,
    exports: providers.map(({ provide }) => provide),
  };
}
