/** The settings that no service parses: those of Node and glibc, of the local stack, of the containers and of the tests. */

export interface OtherSetting {
  name: string;
  /** Whole sentences: the meaning, the form and the default. */
  meaning: string;
}

export interface OtherGroup {
  title: string;
  introduction: string;
  settings: readonly OtherSetting[];
}

export const otherSettings: readonly OtherGroup[] = [
  {
    title: 'Node and glibc',
    introduction: 'The environment of a service sets these for the process that runs it.',
    settings: [
      {
        name: 'UV_THREADPOOL_SIZE',
        meaning:
          "How many threads Node has for files. A replicator needs 4, and 4 more for each region with a vault: then a vault that hangs holds up no other. Node's default is 4, the image's is 32. Anything but an integer from 4 to 1024 is refused, because Node takes it for one thread or a few.",
      },
      {
        name: 'MALLOC_ARENA_MAX',
        meaning:
          "How many arenas glibc allocates memory in. With many threads, freed memory piles up in many arenas; 2 keeps a service's memory flat. It is 2 in the image and under `npm start`.",
      },
      {
        name: 'PGPASSFILE',
        meaning:
          "This and every other variable of PostgreSQL's clients, such as `PGOPTIONS` and `PGSSLMODE`, has no effect, and neither has `~/.pgpass`. The log names those that are set. What a connection needs is in its URL.",
      },
      {
        name: 'NODE_TLS_REJECT_UNAUTHORIZED',
        meaning:
          'It has no effect: certificates are checked. `NODE_EXTRA_CA_CERTS` names a file with authorities of your own.',
      },
      {
        name: 'NODE_EXTRA_CA_CERTS',
        meaning:
          'A file in the form PEM with authorities that are trusted besides those of Node. A file that cannot be read is refused; Node alone would only warn. The same holds for `SSL_CERT_FILE` where Node is told to use it.',
      },
      {
        name: 'NODE_OPTIONS',
        meaning:
          'The options of Node. `--max-old-space-size` is the most memory in MiB that what JavaScript keeps may take, and `--max-semi-space-size` half of what new objects may take. The image and `npm start` begin each service with `--max-old-space-size=320 --max-semi-space-size=8`: a service then takes less than 256 MiB of the machine, and one that kept more than the first size would end. A busy API with `--max-semi-space-size=16` takes up to 40 MiB more, and less of the processor. In the image, your own `NODE_OPTIONS` take the place of these; `npm start` takes the two sizes out of its own. Without them, a busy service takes up to 550 MiB. `--tls-min-v1.0` and `--tls-min-v1.1` have no effect, and `--max-old-space-size` below 96 is refused.',
      },
      {
        name: 'NODE_PG_FORCE_NATIVE',
        meaning:
          'This, `DEBUG`, and every variable that begins with `KAFKAJS_` or `NEST_` has no effect, and neither has `NODE_ENV=test`. Libraries read them. The log names those that are set.',
      },
      {
        name: 'NO_PROXY',
        meaning:
          'With `NODE_USE_ENV_PROXY=1`, Node sends requests to Keystone by the proxy of `HTTP_PROXY` or `HTTPS_PROXY`, but to no host of this list. A service adds its own machine to the list.',
      },
    ],
  },
  {
    title: 'The command line',
    introduction:
      '`strongroom --help` tells the commands, and `strongroom restore --help` the options of one. [command-line.md](command-line.md) has them all.',
    settings: [
      {
        name: 'STRONGROOM_URL',
        meaning:
          'Where the service is, such as `https://backups.example.com`. `--url` goes before it, and a profile behind it.',
      },
      {
        name: 'STRONGROOM_ACCOUNT',
        meaning: 'The account whose things a command works on. `--account` goes before it, and a profile behind it.',
      },
      {
        name: 'STRONGROOM_TOKEN',
        meaning: 'The token that the service is asked with. `--token-file` goes before it, and a profile behind it.',
      },
      {
        name: 'STRONGROOM_PROFILE',
        meaning:
          'The profile of `strongroom login` that a command uses. `--profile` goes before it. Without both, it is the current one.',
      },
      {
        name: 'XDG_CONFIG_HOME',
        meaning: 'The folder below which `strongroom/config.json` has the profiles. Without it, that is `~/.config`.',
      },
      {
        name: 'STRONGROOM_IDENTITY_FILE',
        meaning:
          'The file with the keys that open encrypted backups, for `restore` and for `verify --restore`. `--identity` takes its place. Without both, the command reads `.strongroom/backup-key.txt` of the local stack, if it is there.',
      },
      {
        name: 'STRONGROOM_VAULTS',
        meaning:
          'Where the vaults are, in the form that the services take. The option `--vault` goes before it. Without both, the command reads `.strongroom/stack.json` of the local stack.',
      },
    ],
  },
  {
    title: 'The local stack',
    introduction:
      '`npm start` hands every variable that begins with `STRONGROOM_` on to the services. It sets the database, the vaults, the home region, the tokens, the key and the folder of built servers itself.',
    settings: [
      {
        name: 'KAFKA_BROKERS',
        meaning:
          'The stack uses this Kafka instead of one of its own. `--broker embedded` goes before it. Without it, the stack fetches a Kafka by Maven, and without Java or Maven it uses the embedded feed.',
      },
      {
        name: 'STRONGROOM_NAMESPACE',
        meaning:
          'The prefix of topics on the Kafka of `KAFKA_BROKERS`. Without it, the stack takes `strongroom`, or a name of its own where somebody else has that.',
      },
      { name: 'JAVA_HOME', meaning: 'The Java that runs Kafka. Without it, the first Java of `PATH` does.' },
      { name: 'NO_COLOR', meaning: 'With any value, the terminal shows no colours.' },
    ],
  },
  {
    title: 'Docker Compose',
    introduction: '`docker compose up` reads these from its environment or from a file `.env`.',
    settings: [
      { name: 'STRONGROOM_PORT', meaning: 'The port of the API on the host. The default is 8779.' },
      {
        name: 'STRONGROOM_ACCOUNT',
        meaning: 'The account of the tokens that the first start makes. The default is `demo`.',
      },
      {
        name: 'STRONGROOM_CUSTOMER_SUBNET',
        meaning:
          'The network of the demo customer’s server. The default is `172.31.77.0/24`. Another one belongs into `STRONGROOM_CUSTOMER_NETWORKS`, too.',
      },
      {
        name: 'STRONGROOM_OTHER_VAULTS',
        meaning:
          'The vaults of the regions IAD and ORD. The default is buckets of the S3 server of the stack. For a stack that has them in folders: `IAD=file:///vaults/IAD,ORD=file:///vaults/ORD`.',
      },
      {
        name: 'STRONGROOM_IMAGE',
        meaning: 'The name of the image of the services. The default is `strongroom:local`.',
      },
      {
        name: 'STRONGROOM_IMAGE_WITH_POSTGRESQL',
        meaning:
          'The name of the image of a scheduler that runs built servers, in `docker/compose.built-servers.yml`. The default is `strongroom-with-postgresql:local`.',
      },
      {
        name: 'STRONGROOM_SCHEDULER_MEMORY',
        meaning:
          'The limit of memory of the scheduler’s container in `docker/compose.built-servers.yml`. The default is `3840m`, which is for eight built servers. Each further one needs 256 MiB.',
      },
    ],
  },
  {
    title: 'The tests',
    introduction:
      'Each `REQUIRE_…` makes it a failure when something that tests need is not available. Without it, the tests that need it are listed as not run. `.ci/run` sets all of them but `REQUIRE_COMPOSE`, `REQUIRE_PGBOUNCER`, `REQUIRE_GUEST_USERS`, `REQUIRE_BUBBLEWRAP`, `REQUIRE_COMPILER`, `REQUIRE_CHROMIUM`, `REQUIRE_SECRET_TOOL` and `REQUIRE_SHELLS`. The others make a random test longer.',
    settings: [
      { name: 'REQUIRE_KAFKA', meaning: 'With 1, there must be a Kafka, that is Java 17 and Maven.' },
      {
        name: 'REQUIRE_PG_VERSIONS',
        meaning: 'With 1, PostgreSQL 15, 16 and 17 must be there beside version 18. They come from npm.',
      },
      {
        name: 'REQUIRE_PG_TOOLS',
        meaning:
          "With 1, PostgreSQL's own `pg_verifybackup` and `pg_combinebackup` must be there. They come from PyPI.",
      },
      {
        name: 'REQUIRE_GO',
        meaning: 'With 1, Go must be there, and gophercloud and Tink must come from the Go module proxy.',
      },
      {
        name: 'REQUIRE_VERSITY',
        meaning: 'With 1, Versity S3 Gateway must be there. Go builds it from what the Go module proxy has.',
      },
      {
        name: 'REQUIRE_AGE',
        meaning:
          'With 1, the program `age` must be there, with `zstd` and `tar`. Go builds it from what the Go module proxy has.',
      },
      {
        name: 'REQUIRE_PROMTOOL',
        meaning:
          'With 1, `promtool` must be there, which tests the alarms. Go builds it from what the Go module proxy has.',
      },
      { name: 'REQUIRE_MOTO', meaning: 'With 1, Moto must be there, as an S3 server. It comes from PyPI.' },
      {
        name: 'REQUIRE_AZURITE',
        meaning: 'With 1, Azurite must be there, as an emulator of Azure. It comes from the registry of npm.',
      },
      {
        name: 'REQUIRE_FAKE_GCS',
        meaning: 'With 1, fake-gcs-server must be there, as an emulator of Google Cloud Storage. Go builds it.',
      },
      { name: 'REQUIRE_OPENSTACK', meaning: 'With 1, the `openstack` command must be there. It comes from PyPI.' },
      { name: 'REQUIRE_KEYSTONE', meaning: 'With 1, a Keystone must be there. It comes from PyPI.' },
      {
        name: 'REQUIRE_SMALL_DISK',
        meaning: 'With 1, the tests must be able to mount a small disk, as root or by a `sudo` without a password.',
      },
      {
        name: 'REQUIRE_PGBOUNCER',
        meaning: 'With 1, the program `pgbouncer` must be there. Debian has it in the package of that name.',
      },
      {
        name: 'REQUIRE_GUEST_USERS',
        meaning: 'With 1, the tests must run as root, who can give built servers users of their own.',
      },
      {
        name: 'REQUIRE_BUBBLEWRAP',
        meaning: 'With 1, the program `bwrap` must be there and work. Debian has it in the package bubblewrap.',
      },
      {
        name: 'REQUIRE_COMPILER',
        meaning:
          'With 1, the program `cc` must be there and compile a library for PostgreSQL. Debian has it in the package gcc.',
      },
      {
        name: 'REQUIRE_CHROMIUM',
        meaning: 'With 1, the program `chromium` must be there. Debian has it in the package of that name.',
      },
      {
        name: 'REQUIRE_SECRET_TOOL',
        meaning:
          'With 1, the programs `secret-tool`, `gnome-keyring-daemon` and `dbus-run-session` must be there. Debian has them in the packages libsecret-tools, gnome-keyring and dbus-daemon.',
      },
      {
        name: 'REQUIRE_SHELLS',
        meaning: 'With 1, the shells `zsh` and `fish` must be there. Debian has them in the packages of these names.',
      },
      { name: 'REQUIRE_COMPOSE', meaning: 'With 1, `.ci/run` fails when there is no Docker engine.' },
      {
        name: 'ONE_NODE',
        meaning: 'With 1, `.ci/run` runs all tests on the Node that is there, and none on another version.',
      },
      {
        name: 'TMPDIR',
        meaning:
          'Where tests make their files. Without it, `npm test` makes them in `/dev/shm`, in memory, where 12 GiB of memory are free, and elsewhere in the folder of the system.',
      },
      {
        name: 'DOCKER_HOST',
        meaning: 'The Docker engine of `npm run test:compose`. Without it, the engine of the default socket is used.',
      },
      {
        name: 'STRONGROOM_PREVIEW_HISTORIES',
        meaning: 'How many random histories the test of previews runs. The default is 200.',
      },
      {
        name: 'STRONGROOM_RECORD_SESSION',
        meaning: 'With 1, the test of `docs/session.md` writes into that page what its commands print.',
      },
      {
        name: 'STRONGROOM_CONSOLE_PICTURES',
        meaning: 'A folder in which the tests of the console keep what its screens show, in both themes.',
      },
      {
        name: 'STRONGROOM_RETENTION_HISTORIES',
        meaning: 'How many random histories the test of retention runs. The default is 100.',
      },
      {
        name: 'STRONGROOM_VAULT_HISTORIES',
        meaning: 'How many random histories the test of vaults runs. The default is 200.',
      },
      {
        name: 'STRONGROOM_VAULT_SEED',
        meaning: 'The seed of the first of those histories, to run one again. The default is 1.',
      },
      { name: 'STRONGROOM_FUZZ_REQUESTS', meaning: 'How many random requests the API gets. The default is 1000.' },
      {
        name: 'STRONGROOM_CUT_FUZZ_REQUESTS',
        meaning: 'How many of them it gets while connections to its database are cut. The default is 250.',
      },
      {
        name: 'STRONGROOM_KILLED_RESTORES',
        meaning: 'How many restores of the command line are killed at a random moment. The default is 4.',
      },
      {
        name: 'STRONGROOM_MANIFEST_FILES',
        meaning: 'How many files the largest manifest has whose memory is measured. The default is 1000000.',
      },
      {
        name: 'STRONGROOM_FUZZ_STRANGERS',
        meaning:
          'How many inputs the test of strangers’ bytes makes for each of their forms at the least. The default is 300.',
      },
      {
        name: 'STRONGROOM_FUZZ_STRANGERS_SECONDS',
        meaning:
          'For how many seconds of the processor it goes on with each form. The default is 0. `npm run test:fuzz` sets it, and prints the figures.',
      },
      {
        name: 'STRONGROOM_FUZZ_FIGURES',
        meaning: 'The file to which that test adds its figures, a line of JSON for each form.',
      },
      {
        name: 'STRONGROOM_FUZZ_STRANGERS_SEED',
        meaning: 'The seed of the first of those inputs, to make one again. The default is 1.',
      },
      {
        name: 'STRONGROOM_HOSTILE_TABLE',
        meaning:
          'The folder into which the tests of hostile servers and backups write what they tried, with outcome, memory and time. `npm run docs:hostile` sets it.',
      },
      {
        name: 'STRONGROOM_ALL_FAILURES',
        meaning:
          'With any value, the tests of late attempts fail each operation of a file with every kind of error, and freeze after each of them too.',
      },
    ],
  },
];

/** The tests set these for each other. Nobody else does. */
export const innerSettings: readonly string[] = [
  'STRONGROOM_CONTRACT_NOTES',
  'STRONGROOM_LEFT_OPEN',
  'STRONGROOM_NOT_RUN',
  'STRONGROOM_PATIENCE_NOTES',
  'STRONGROOM_TEST_KAFKA',
  'STRONGROOM_TEST_KAFKA_JARS',
  'STRONGROOM_TEST_KAFKA_REASON',
  'STRONGROOM_TEST_PATIENCE',
  'STRONGROOM_TEST_POSTGRES_URL',
  'STRONGROOM_TEST_TEMPLATES',
  'STRONGROOM_UNDER_WAY',
];
