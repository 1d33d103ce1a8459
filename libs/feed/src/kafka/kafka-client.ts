/** The Kafka client with our log, and with our own limits to its retries. */
import type { Logger } from '@strongroom/runtime';
import { Kafka, type LogEntry, logLevel } from 'kafkajs';
import './idle-request-queue.js';

/** What the client logs as an error though it is temporary: a group or a broker that is just starting. */
const passing = /coordinator is (not available|loading)|GroupCoordinator|is rebalancing|another concurrent operation/i;

export function kafkaClient(brokers: string[], clientId: string, log: Logger): Kafka {
  return new Kafka({
    brokers,
    clientId,
    connectionTimeout: 3_000,
    requestTimeout: 15_000,
    retry: { initialRetryTime: 100, maxRetryTime: 2_000, retries: 5 },
    logLevel: logLevel.WARN,
    logCreator: () => (entry) => write(log, entry),
  });
}

function write(
  log: Logger,
  { level, namespace, log: { message, logger: _, timestamp: __, stack: ___, ...details } }: LogEntry,
): void {
  const told = `kafka ${namespace}: ${message}`;
  if (passing.test(`${message} ${String(details.error ?? '')}`)) log.debug(details, told);
  else if (level === logLevel.ERROR) log.warn(details, told);
  else log.debug(details, told);
}
