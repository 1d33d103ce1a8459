/** `strongroom api`: one request of one's own, for what no command does. */
import { ApiFault } from '@strongroom/client';
import { accountPath, type Operation, operations, pathOf } from '@strongroom/contracts';
import { type Command, Option } from 'commander';
import { say, sayJson } from '../output.js';
import { type DestructiveOptions, ofDestruction } from './api-options.js';
import { mustBeConfirmed } from './confirm.js';
import { jsonIn } from './given-file.js';
import { inSession } from './session.js';

interface RequestOptions extends DestructiveOptions {
  method: Operation['method'];
  body?: string;
}

const methods = [...new Set(operations.map(({ method }) => method))];

export function addRequest(program: Command): void {
  ofDestruction(program.command('api'))
    .description('Send one request, and print the answer. It is for what no other command does.')
    .argument(
      '<path>',
      "the path below the account, such as backups?limit=5; with / at its beginning, the service's own, such as /openapi.json",
    )
    .addOption(new Option('--method <method>', 'the method').choices(methods).default('GET'))
    .option('--body <path>', 'a file with the body, as JSON, or - for the standard input')
    .action((path: string, options: RequestOptions) =>
      inSession(options, 'path', async (session) => {
        const { client, connection, signal } = session;
        const { method, dryRun, yes } = options;
        const below = pathOf({ path: accountPath }, { accountId: connection.account });
        const whole = path.startsWith('/') ? path : `${below}/${path}`;
        const body = options.body === undefined ? undefined : await jsonIn(options.body);
        if (dryRun) return session.showRequest(method, whole, body);
        if (method === 'DELETE' && !yes)
          await mustBeConfirmed(`This will be sent: ${method} ${whole}.`, [path], options);
        const operation = { name: 'request', method, path: whole, summary: '', status: 200 } as const;
        const answer = await client.send(operation, { body, signal });
        if (answer.status < 200 || answer.status > 299) throw ApiFault.of(`${method} ${whole}`, answer);
        if (answer.body === undefined) return;
        if (typeof answer.body === 'string') say(answer.body);
        else sayJson(answer.body, 2);
      }),
    );
}
