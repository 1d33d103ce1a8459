/** Rules that no linter checks: about a file's name, its first lines, and text that it may not have. */

export interface SourceFile {
  /** The path from the project's root, with forward slashes. */
  path: string;
  text: string;
}

/**
 * Files that may speak of PostgreSQL outside of its engine. Libraries below the engines speak of Strongroom's own
 * database, so the rule leaves them out too.
 */
export const speakOfPostgresql: Readonly<Record<string, string>> = {
  'libs/contracts/src/primitives.ts': 'holds the enum of the kinds of servers',
  'libs/engines/src/engines.ts': 'names the engines',
  'apps/stack/src/demo-data.ts': 'fills the server of a demo customer',
  'apps/stack/src/demo.ts': 'registers the server of a demo customer',
  'apps/stack/src/own-database.ts': "makes Strongroom's own database",
  'apps/stack/src/stack-file.ts': "remembers where Strongroom's own database and the demo customer are",
  'apps/cli/src/database-options.ts': "finds Strongroom's own database",
  'apps/stack/src/stack.ts': "starts Strongroom's own database and the server of a demo customer",
};
/** An example of a request or of an event names a kind of server that exists. */
const exampleOfDatastore = /\bdatastore: \{ type: 'postgresql'/g;
const wordsOfPostgresql = /postgres|\bpg[_']|\bwal(_\w+)?\b|tablespace|replication[ -]slot|pgdata/i;

interface HouseRule {
  /** The reason of the rule, and what to do instead. */
  says: string;
  of: RegExp;
  except?: RegExp;
  brokenBy: RegExp | ((file: SourceFile) => boolean);
}

const rules: readonly HouseRule[] = [
  {
    says: 'silences a check: put right what the check found',
    of: /\.(tsx?|mjs|cjs)$/,
    brokenBy: /(\/\/|\/\*)\s*(@ts-(ignore|expect-error|nocheck)|biome-ignore|eslint-disable|(istanbul|c8|v8) ignore)/,
  },
  {
    says: 'is named for no one thing: name the file for what is inside',
    of: /\.(tsx?|mjs|cjs)$/,
    brokenBy: ({ path }) => /(^|[/.-])(utils?|helpers?|common|base|managers?|impl|misc|shared)\.[^/]*$/.test(path),
  },
  {
    says: "is an index.ts that is no library's public door: import the file that is meant",
    of: /\/index\.ts$/,
    except: /^libs\/[^/]+\/src\/index\.ts$/,
    brokenBy: () => true,
  },
  {
    says: 'has a fault that does not say whether to try again: extend Fault, or a fault that does',
    of: /^(apps|libs)\/.*\.ts$/,
    // The base itself, and what the API answers over HTTP.
    except: oneOf('libs/contracts/src/fault.ts', 'apps/api/src/edge/http-fault.ts'),
    brokenBy: /class \w*Fault(<.*>)? extends (?!Fault\b|\w+Fault\b)/,
  },
  {
    says: "reads an error's message in a way of its own: use messageOf()",
    of: /\.tsx?$/,
    brokenBy: /(\w+) instanceof Error \? \1\.message :/,
  },
  {
    says: 'opens without a sentence on its purpose: begin with a doc comment',
    of: /^(apps|libs|scripts|bench|test)\/.*\.(tsx?|cjs|mjs)$/,
    except: /\.spec\.ts$/,
    brokenBy: ({ text }) => !/^(#!.*\n)?\/\*\*/.test(text),
  },
  {
    says: 'takes the time, a random value or the environment by itself: take it as an argument',
    of: /^libs\/(domain|contracts)\/src\//,
    // A variable of the environment says how long a model test runs.
    except: /\.model\.spec\.ts$/,
    brokenBy: /new Date\(\)|Date\.now\(|Math\.random\(|randomUUID\(|\bprocess\./,
  },
  {
    says: 'speaks of PostgreSQL: have its engine say it (libs/engines/src/postgresql)',
    of: /^(apps\/[^/]+|libs\/(contracts|domain))\/src\/|^libs\/engines\/src\/[^/]+$/,
    except: /\.spec\.ts$/,
    brokenBy: ({ path, text }) =>
      !(path in speakOfPostgresql) && wordsOfPostgresql.test(text.replaceAll(exampleOfDatastore, '')),
  },
  {
    says: 'spells a path of the API: take it from its operation, with pathOf()',
    of: /^(apps|libs|scripts|bench|test)\/.*\.(tsx?|cjs|mjs)$/,
    except: oneOf(
      // Each path is spelled here once.
      'libs/contracts/src/http/.*',
      // This spec compares what the client sends with the path itself.
      'libs/client/src/client.spec.ts',
      // This spec sends wrong paths, and bytes that are hardly HTTP.
      'apps/api/src/edge/edge.int.spec.ts',
      // This spec has texts in which paths stand.
      'apps/api/fixtures/leaks.spec.ts',
      // This spec declares wrong routes.
      'apps/api/src/edge/routing.spec.ts',
    ),
    brokenBy: /['"`/]v1\.0\/|['"`]\/(schedules|backups|instances|regions|events)\b/,
  },
  {
    says: 'connects as a service does, which gives up when the machine is busy: use connectTestDatabase() or openDataSource()',
    of: /\.spec\.ts$|\/fixtures\/.*\.ts$|^test\/.*\.ts$/,
    except: oneOf(
      'test/services/database.ts',
      // These are about the limits of a service.
      'libs/database/src/slow-server.int.spec.ts',
      'apps/scheduler/src/frozen-process.int.spec.ts',
      // This is a process of its own.
      'libs/database/fixtures/process.ts',
    ),
    brokenBy: /\bcreateDataSource\(|\bdataSourceOptions\(/,
  },
  {
    says: 'sleeps: wait for what is to happen, with eventually()',
    of: /\.spec\.ts$/,
    brokenBy: /import \{[^}]*\bsetTimeout\b[^}]*\} from 'node:timers\/promises'/,
  },
];

/** Matches the whole of one of these patterns of paths. */
function oneOf(...paths: string[]): RegExp {
  return new RegExp(`^(${paths.join('|')})$`);
}

/** One sentence for each rule that a file breaks. */
export function breachesOf(file: SourceFile): string[] {
  return rules
    .filter(({ of, except }) => of.test(file.path) && !except?.test(file.path))
    .filter(({ brokenBy }) => (typeof brokenBy === 'function' ? brokenBy(file) : brokenBy.test(file.text)))
    .map(({ says }) => `${file.path} ${says}`);
}
