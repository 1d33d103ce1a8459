/** What every screen is in: where one can go, whether what is shown is live, the theme, and the way out. */
import type { ConsoleSession } from '@strongroom/contracts';
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import { Account, type Known } from './account.js';
import { Mark } from './parts/mark.js';
import { nameOf } from './restorable.js';
import { type Route, routeOf, screens } from './route.js';
import { ActivityScreen } from './screens/activity.js';
import { BackupScreen } from './screens/backup.js';
import { InstancesScreen } from './screens/instances.js';
import { RegionsScreen } from './screens/regions.js';
import { Restorable } from './screens/restorable.js';
import { ScheduleScreen } from './screens/schedule.js';
import { SchedulesScreen } from './screens/schedules.js';
import { WebhookScreen } from './screens/webhook.js';
import { WebhooksScreen } from './screens/webhooks.js';
import type { Shown } from './shown.js';
import { chooseTheme, chosenTheme, themes } from './theme.js';

/** How long ago something was is told anew after this time: what has just happened is told as now. */
const anewMs = 20_000;

export function Frame({ session, signedOut }: { session: ConsoleSession; signedOut: (why: string | null) => void }) {
  const { account_id: accountId, name, rights } = session;
  const [route, setRoute] = useState(() => routeOf(location.hash));
  const [known, setKnown] = useState<Known | null>(null);
  const [now, setNow] = useState(() => new Date());
  const account = useRef<Account>(null);
  const heading = useRef<HTMLHeadingElement>(null);
  // Reading begins before anything is drawn.
  useLayoutEffect(() => {
    const opened = new Account(
      accountId,
      () => setKnown(opened.known),
      () => signedOut('The session is over. Sign in again.'),
    );
    account.current = opened;
    setKnown(opened.known);
    const timer = setInterval(() => setNow(new Date()), anewMs);
    return () => {
      clearInterval(timer);
      opened.end();
    };
  }, [accountId]);
  useEffect(() => {
    const moved = () => {
      setRoute(routeOf(location.hash));
      heading.current?.focus();
    };
    addEventListener('hashchange', moved);
    return () => removeEventListener('hashchange', moved);
  }, []);
  const title = titleOf(route, known);
  useEffect(() => {
    document.title = `${title} · Strongroom`;
  }, [title]);
  return (
    <>
      <header>
        <span class="brand">Strongroom</span>
        <nav aria-label="Screens">
          {Object.entries(screens).map(([id, label]) => (
            <a key={id} href={`#/${id}`} aria-current={id === route.screen ? 'page' : undefined}>
              {label}
            </a>
          ))}
        </nav>
        <span class="who">
          {name} in {accountId}
        </span>
        <ThemeChoice />
        <button type="button" onClick={() => signedOut(null)}>
          Sign out
        </button>
      </header>
      <main>
        <h1 ref={heading} tabIndex={-1}>
          {title}
        </h1>
        {known && (
          <>
            <p class="live" role="status">
              {known.isLive ? <Mark tone="good">Live</Mark> : <Mark tone="warning">Not live: connecting again</Mark>}
            </p>
            {known.problem !== null && (
              <p role="alert" class="problem">
                {known.problem}
              </p>
            )}
            <ScreenOf
              route={route}
              shown={{ known, accountId, rights, now, changed: (id) => account.current?.instanceChanged(id) }}
            />
          </>
        )}
      </main>
    </>
  );
}

function ScreenOf({ route, shown }: { route: Route; shown: Shown }) {
  switch (route.screen) {
    case 'restorable':
      return <Restorable {...shown} />;
    case 'schedules':
      return route.id === null ? (
        <SchedulesScreen {...shown} />
      ) : (
        <ScheduleScreen key={route.id} id={route.id} {...shown} />
      );
    case 'backups':
      return <BackupScreen key={route.id} id={route.id} {...shown} />;
    case 'regions':
      return <RegionsScreen {...shown} />;
    case 'instances':
      return <InstancesScreen {...shown} />;
    case 'webhooks':
      return route.id === null ? (
        <WebhooksScreen {...shown} />
      ) : (
        <WebhookScreen key={route.id} id={route.id} {...shown} />
      );
    case 'activity':
      return <ActivityScreen {...shown} />;
  }
}

function titleOf(route: Route, known: Known | null): string {
  if (route.id === null) return screens[route.screen];
  if (route.screen === 'backups') return 'Backup';
  if (route.screen === 'webhooks') return 'Webhook';
  const schedule = known?.restorable.get(route.id);
  return schedule ? `Schedule of ${nameOf(schedule)}` : 'Schedule';
}

function ThemeChoice() {
  const [theme, setTheme] = useState(chosenTheme);
  return (
    <label>
      Theme{' '}
      <select
        value={theme}
        onChange={({ currentTarget }) => {
          const chosen = themes.find((each) => each === currentTarget.value) ?? 'system';
          chooseTheme(chosen);
          setTheme(chosen);
        }}
      >
        {themes.map((each) => (
          <option key={each} value={each}>
            {each}
          </option>
        ))}
      </select>
    </label>
  );
}
