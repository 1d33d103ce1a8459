/**
 * Runs servers that are built from backups of PostgreSQL, with the programs that come with Strongroom. Each listens on the
 * loopback interface and lets in its source's roles by their passwords. It archives nothing and follows nobody.
 */
import { join } from 'node:path';
import { PostgresServer, ServiceFault } from '@strongroom/server-processes';
import { EngineFault } from '../../engine-fault.js';
import { type Build, type HostedData, type HostedServer, type HostOptions, ServerHost } from '../../server-host.js';
import { standAloneSettings } from '../restore/stand-alone-settings.js';
import { fitToHost, whyNotStarted } from './host-settings.js';
import { type ServerData, ServerFolder } from './server-folder.js';

/** The version of the programs that come with Strongroom. */
const majorVersion = 18;

export class PostgresqlHost extends ServerHost {
  /** @param folder has a folder for each instance, and its log beside it */
  constructor(private readonly folder: string) {
    super();
  }

  whyNotBuilt(version: string): string | undefined {
    if (Number.parseInt(version, 10) === majorVersion) return undefined;
    return `The backup is of postgresql ${version}, and servers of version ${majorVersion} are built here. Restore it with: strongroom restore`;
  }

  find(instanceId: string): Promise<HostedData | undefined> {
    return this.of(instanceId).restored();
  }

  build(instanceId: string, attempt: number): Promise<Build | undefined> {
    return this.of(instanceId).begin(attempt);
  }

  async start(instanceId: string, options: HostOptions): Promise<HostedServer> {
    const data = await this.of(instanceId).restored();
    if (!data) throw new EngineFault('server-did-not-start', `instance ${instanceId} has no data in ${this.folder}`);
    try {
      return await this.startOn(data, instanceId, options);
    } catch (error) {
      // Memory, locales or programs may be others here than on its source's machine.
      const fitted = isNotStarted(error) && (await fitToHost(data.directory, majorVersion));
      if (!fitted) throw notStarted(error);
    }
    try {
      return await this.startOn(data, instanceId, options);
    } catch (error) {
      throw notStarted(error);
    }
  }

  private async startOn(
    data: ServerData,
    instanceId: string,
    { port, signal }: HostOptions,
  ): Promise<HostedPostgresql> {
    const server = await PostgresServer.startOn(data.directory, {
      // The roles are the source's, and their passwords are not known here. With an empty one `pg` would not send any.
      password: 'unknown',
      isOthers: true,
      logFile: join(this.folder, `${instanceId}.log`),
      settings: { ...standAloneSettings(majorVersion), ...data.files },
      signal,
      ...(port !== undefined && { port }),
    });
    return new HostedPostgresql(server);
  }

  remove(instanceId: string): Promise<void> {
    return this.of(instanceId).remove();
  }

  private of(instanceId: string): ServerFolder {
    return new ServerFolder(this.folder, instanceId);
  }
}

function isNotStarted(error: unknown): boolean {
  return error instanceof ServiceFault && error.code === 'did-not-start';
}

/** The fault of a server that did not start: what its log says, of which the whole is for the operator alone. */
function notStarted(error: unknown): unknown {
  if (!(error instanceof ServiceFault)) return error;
  const said = isNotStarted(error)
    ? `The server did not start. Its log says: ${whyNotStarted(error.message)}`
    : error.message;
  return new EngineFault('server-did-not-start', said, { cause: error });
}

class HostedPostgresql implements HostedServer {
  constructor(private readonly server: PostgresServer) {}

  get port(): number {
    return this.server.port;
  }

  get isRunning(): boolean {
    return this.server.running;
  }

  get ended(): Promise<string> {
    return this.server.ended;
  }

  stop(): Promise<void> {
    return this.server.stop();
  }
}
