/** How a backup is restored: the command for each region that holds it with all that it is built on. It needs the vault and the key, and no service. */
import type { BackupResource } from '@strongroom/contracts';
import { useId, useState } from 'preact/hooks';
import { Command } from '../parts/command.js';
import { Dialog } from '../parts/dialog.js';

export function RestoreDialog({ parts, closed }: { parts: readonly BackupResource[]; closed: () => void }) {
  const [backup] = parts;
  const regions = (backup?.whole_in ?? []).filter((region) => parts.every(({ whole_in }) => whole_in.includes(region)));
  const [region, setRegion] = useState(regions[0]);
  const regionId = useId();
  return (
    <Dialog title="Restore this backup" closed={closed}>
      {backup && region !== undefined ? (
        <>
          <p>
            <label for={regionId}>From</label>{' '}
            <select id={regionId} value={region} onChange={({ currentTarget }) => setRegion(currentTarget.value)}>
              {regions.map((each) => (
                <option key={each} value={each}>
                  {each}
                </option>
              ))}
            </select>
          </p>
          <p>Run this where the vault of {region} can be reached. It needs the vault and the key, and no service.</p>
          <Command text={`npx strongroom restore ${backup.id} --from ${region} --to ./restored`} what="the command" />
        </>
      ) : (
        <p>No region holds it with all that it is built on.</p>
      )}
      <p class="buttons">
        <button type="button" onClick={closed}>
          Close
        </button>
      </p>
    </Dialog>
  );
}
