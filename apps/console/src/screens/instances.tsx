/** The servers: what is known of each, whether it can be reached now, and what its backups lack. */
import type { ConnectionTest, InstanceResource } from '@strongroom/contracts';
import { useState } from 'preact/hooks';
import { mostPages } from '../account.js';
import { call, messageOf, pagesOf } from '../api/call.js';
import { getInstances, postInstancesIdAction } from '../api/operations.js';
import { WhyDialog } from '../parts/explanation.js';
import { Mark, type Tone } from '../parts/mark.js';
import { Problem, useRead } from '../parts/reading.js';
import { Scrolled } from '../parts/scrolled.js';
import { byName } from '../restorable.js';
import { scheduleAddress } from '../route.js';
import type { Shown } from '../shown.js';

const statusWords: Readonly<Record<InstanceResource['operating_status'], [Tone, string]>> = {
  HEALTHY: ['good', 'Its newest backup was completed'],
  UNKNOWN: ['warning', 'Not known: no backup yet, or the newest has failed'],
  BUILDING: ['busy', 'Is built'],
  FAILED: ['bad', 'Was not built'],
};

type Tested = { is: 'testing' } | { is: 'told'; test: ConnectionTest } | { is: 'refused'; why: string };

export function InstancesScreen({ known, accountId, rights, now }: Shown) {
  const [tests, setTests] = useState<ReadonlyMap<string, Tested>>(new Map());
  const [why, setWhy] = useState<InstanceResource | null>(null);
  const [newest] = known.events.filter(({ subject }) => subject.kind === 'instance');
  const { value: instances, problem } = useRead(() => instancesOf(accountId), [accountId, newest?.id]);
  const mayTest = rights.includes('instance.test');
  const test = async (id: string) => {
    const told = (tested: Tested) => setTests((before) => new Map(before).set(id, tested));
    told({ is: 'testing' });
    try {
      const asked = { parts: { accountId, id }, body: { 'test-connection': {} } };
      told({ is: 'told', test: (await call(postInstancesIdAction, asked)).connection_test });
    } catch (error) {
      told({ is: 'refused', why: messageOf(error) });
    }
  };
  return (
    <>
      <Problem of={problem} />
      <Scrolled label="Instances">
        <table>
          <caption>The servers that are backed up, by name</caption>
          <thead>
            <tr>
              <th scope="col">Instance</th>
              <th scope="col">Server</th>
              <th scope="col">State</th>
              <th scope="col">Schedule</th>
              <th scope="col">Reached now</th>
              <th scope="col">Explain</th>
            </tr>
          </thead>
          <tbody>
            {instances?.map((instance) => (
              <tr key={instance.id}>
                <th scope="row">{instance.name}</th>
                <td>
                  {instance.datastore.type} {instance.datastore.version}
                  {instance.hostname !== null && ` at ${instance.hostname}:${instance.port}`}
                </td>
                <td>
                  <InstanceState instance={instance} />
                </td>
                <td>
                  {instance.schedule ? (
                    <a href={scheduleAddress(instance.schedule.id)}>
                      Schedule<span class="unseen"> of {instance.name}</span>
                    </a>
                  ) : (
                    <Mark tone="warning">No schedule</Mark>
                  )}
                </td>
                <td>
                  {mayTest && (
                    <button type="button" onClick={() => void test(instance.id)}>
                      Test<span class="unseen"> {instance.name}</span>
                    </button>
                  )}
                  <div role="status">
                    <Answer of={tests.get(instance.id)} />
                  </div>
                </td>
                <td>
                  <button type="button" onClick={() => setWhy(instance)}>
                    Why?<span class="unseen"> {instance.name}</span>
                  </button>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </Scrolled>
      {why && (
        <WhyDialog
          accountId={accountId}
          id={why.id}
          name={why.name}
          now={now}
          when={newest?.id}
          closed={() => setWhy(null)}
        />
      )}
    </>
  );
}

async function instancesOf(accountId: string): Promise<InstanceResource[]> {
  const all: InstanceResource[] = [];
  for await (const page of pagesOf(getInstances, { parts: { accountId } }, mostPages)) all.push(...page.instances);
  return all.sort((a, b) => byName(a.name, b.name));
}

function InstanceState({ instance: { operating_status, fault, warning } }: { instance: InstanceResource }) {
  const [tone, words] = statusWords[operating_status];
  return (
    <>
      <Mark tone={tone}>{words}</Mark>
      {fault && <p>{fault.message}</p>}
      {warning !== null && <Mark tone="warning">{warning}</Mark>}
    </>
  );
}

function Answer({ of }: { of: Tested | undefined }) {
  if (!of) return null;
  if (of.is === 'testing') return <Mark tone="busy">Is tried…</Mark>;
  if (of.is === 'refused') return <Mark tone="bad">{of.why}</Mark>;
  const { full, incremental, warnings } = of.test;
  return (
    <>
      <Possible kind="Full" {...full} />
      <Possible kind="Incremental" {...incremental} />
      {warnings.map((each) => (
        <Mark tone="warning" key={each}>
          {each}
        </Mark>
      ))}
    </>
  );
}

function Possible({ kind, possible, missing }: { kind: string; possible: boolean; missing: readonly string[] }) {
  return (
    <>
      <Mark tone={possible ? 'good' : 'bad'}>
        {kind} backups are {possible ? 'possible' : 'not possible'}
      </Mark>
      {missing.length > 0 && (
        <ul>
          {missing.map((each) => (
            <li key={each}>{each}</li>
          ))}
        </ul>
      )}
    </>
  );
}
