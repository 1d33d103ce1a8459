import { contentsOf } from '../../../../test/services/tables.js';
import { BackedUpServer } from '../../fixtures/backed-up-server.js';
import { engineContract, type ServerUnderTest } from '../engine.contract.js';

async function postgresqlUnderTest(): Promise<ServerUnderTest> {
  const servers: BackedUpServer[] = [];
  const begin = async () => {
    const server = await BackedUpServer.start();
    if (!server) throw new Error("the project's own PostgreSQL is there always");
    servers.push(server);
    return server;
  };
  const server = await begin();
  await server.query('create table note as select n, md5(n::text) as text from generate_series(1, 1000) n');
  let changes = 0;
  const contentsAt = (port: number) => {
    const url = new URL(server.server.url());
    url.port = String(port);
    return contentsOf(url.href);
  };
  return {
    engine: server.engine,
    target: server.target,
    async change() {
      changes += 1;
      await server.query(`insert into note values (${-changes}, 'a change')`);
    },
    contents: () => contentsOf(server.server.url()),
    contentsAt,
    other: async () => (await begin()).target,
    async remove() {
      for (const each of servers) await each.remove();
    },
  };
}

engineContract('PostgreSQL', postgresqlUnderTest);
