// Imports trackers from a file in two steps: a dry run that shows what would come and what is wrong by row, then the real one.
import { authorizedFetch } from '@tracker/shared/api/client.ts';
import { ApiError, type Problem } from '@tracker/shared/api/problem.ts';
import { errorText } from '@tracker/shared/api/errorText.ts';
import type { ImportRefused, ImportResult } from '@tracker/shared/api/schema.d.ts';
import { upload } from '@tracker/shared/api/upload.ts';
import { download } from '@tracker/shared/table/csv.ts';
import { Button } from '@tracker/shared/ui/Button.tsx';
import { cn } from '@tracker/shared/ui/cn.ts';
import { Dialog } from '@tracker/shared/ui/Dialog.tsx';
import { toast } from '@tracker/shared/ui/toast.tsx';
import { useQueryClient } from '@tanstack/react-query';
import { FileUp } from 'lucide-react';
import { useId, useState, type DragEvent } from 'react';
import { useTranslation } from 'react-i18next';
import { OwnerFields } from './OwnerFields';

type Outcome = { ok: true; result: ImportResult } | { ok: false; refused: ImportRefused };

async function send(
  file: File,
  client: string,
  run: string,
  dryRun: boolean,
  onProgress: (part: number) => void,
): Promise<Outcome> {
  const query = new URLSearchParams({ client_id: client, dry_run: String(dryRun) });
  if (run) query.set('production_run_id', run);
  const body = new FormData();
  body.append('file', file);
  const { status, body: answer } = await upload(`/api/v1/trackers/import?${query}`, body, onProgress);
  // A dry run answers 200 whatever it finds.
  const { error_count, rows } = (answer ?? {}) as Partial<ImportResult>;
  if (status < 300 && error_count === 0) return { ok: true, result: answer as ImportResult };
  const refused = answer as ImportRefused;
  if (rows === undefined) throw new ApiError((answer ?? { status, code: `http_${status}` }) as Problem);
  return { ok: false, refused };
}

export function ImportDialog({ onClose }: { onClose: () => void }) {
  const { t } = useTranslation(['admin', 'shared']);
  const queries = useQueryClient();
  const [file, setFile] = useState<File>();
  const [owner, setOwner] = useState({ client: '', run: '' });
  const [outcome, setOutcome] = useState<Outcome>();
  // The part that was sent, from 0 to 1; undefined when nothing is under way.
  const [sent, setSent] = useState<number>();
  const busy = sent !== undefined;
  const checked = outcome?.ok === true;

  const run = async (dryRun: boolean) => {
    if (!file) return;
    setSent(0);
    try {
      const next = await send(file, owner.client, owner.run, dryRun, setSent);
      setOutcome(next);
      if (next.ok && !dryRun) {
        toast.success(t('import.done', { count: next.result.trackers }));
        await queries.invalidateQueries({ queryKey: ['/api/v1/trackers'] });
        onClose();
      }
    } catch (error) {
      toast.error(errorText(error));
    }
    setSent(undefined);
  };

  return (
    <Dialog
      open
      wide
      title={t('import.open')}
      description={t('import.text')}
      onClose={onClose}
      footer={
        <>
          <Button variant="quiet" onClick={() => void saveTemplate()}>
            {t('import.template')}
          </Button>
          <Button onClick={onClose}>{t('shared:action.cancel')}</Button>
          <Button
            variant={checked ? 'plain' : 'primary'}
            busy={busy && !checked}
            disabled={!file || !owner.client}
            onClick={() => void run(true)}
          >
            {t('import.check')}
          </Button>
          {checked && (
            <Button variant="primary" busy={busy} onClick={() => void run(false)}>
              {t('import.start', { count: outcome.result.trackers })}
            </Button>
          )}
        </>
      }
    >
      <OwnerFields
        client={owner.client}
        run={owner.run}
        onChange={(client, next) => {
          setOwner({ client, run: next });
          setOutcome(undefined);
        }}
      />
      <DropZone
        file={file}
        onFile={(next) => {
          setFile(next);
          setOutcome(undefined);
        }}
      />
      {busy && <Progress sent={sent} />}
      {outcome && <Report outcome={outcome} />}
    </Dialog>
  );
}

/** How much is sent; how far the server is with the rows it does not say. */
function Progress({ sent }: { sent: number }) {
  const { t } = useTranslation('admin');
  const text = t(sent < 1 ? 'import.sending' : 'import.working');
  return (
    <div role="status" className="flex items-center gap-3 text-sm">
      <progress className="w-40" aria-label={text} value={sent < 1 ? sent : undefined} />
      {text}
    </div>
  );
}

async function saveTemplate(): Promise<void> {
  try {
    const url = `${location.origin}/api/v1/trackers/import/template`;
    const response = await authorizedFetch(new Request(url));
    download('trackers.csv', [(await response.text()).replace(/^\ufeff/, '')]);
  } catch (error) {
    toast.error(error);
  }
}

function DropZone({ file, onFile }: { file: File | undefined; onFile: (file: File) => void }) {
  const { t } = useTranslation('admin');
  const id = useId();
  const [over, setOver] = useState(false);
  const drop = (event: DragEvent) => {
    event.preventDefault();
    setOver(false);
    const dropped = event.dataTransfer.files[0];
    if (dropped) onFile(dropped);
  };
  return (
    <label
      htmlFor={id}
      onDragOver={(event) => {
        event.preventDefault();
        setOver(true);
      }}
      onDragLeave={() => setOver(false)}
      onDrop={drop}
      className={cn(
        'flex cursor-pointer flex-col items-center gap-2 rounded-lg border-2 border-dashed border-edge p-6 text-center focus-within:outline-2 focus-within:outline-link',
        over && 'bg-info-soft',
      )}
    >
      <FileUp aria-hidden className="size-6 text-muted" />
      {file ? <span className="font-medium break-all">{file.name}</span> : t('import.drop')}
      <input
        id={id}
        type="file"
        accept=".csv,.json,.keys,.plist,text/csv,application/json"
        className="sr-only"
        onChange={(event) => event.target.files?.[0] && onFile(event.target.files[0])}
      />
    </label>
  );
}

function Report({ outcome }: { outcome: Outcome }) {
  const { t } = useTranslation('admin');
  const numbers = outcome.ok ? outcome.result : outcome.refused;
  const errors = numbers.errors ?? [];
  return (
    <section aria-live="polite" className="flex flex-col gap-2">
      <p className={outcome.ok ? 'text-success' : 'text-danger'}>
        {outcome.ok
          ? t('import.good', { rows: numbers.rows, trackers: numbers.trackers, keys: numbers.keys })
          : t('import.bad', { rows: numbers.rows, count: numbers.error_count })}
      </p>
      {errors.length > 0 && (
        <div
          className="max-h-60 overflow-auto rounded-md border border-line"
          tabIndex={0}
          role="region"
          aria-label={t('import.errors')}
        >
          <table className="w-full">
            <thead>
              <tr className="border-b border-line text-left text-muted">
                <th className="px-3 py-1 font-medium">{t('import.row')}</th>
                <th className="px-3 py-1 font-medium">{t('bulk.field')}</th>
                <th className="px-3 py-1 font-medium">{t('field.error')}</th>
              </tr>
            </thead>
            <tbody>
              {errors.map((error, index) => (
                <tr key={index} className="border-b border-line last:border-0">
                  <td className="px-3 py-1">{'row' in error ? String(error.row) : ''}</td>
                  <td className="px-3 py-1">{error.field}</td>
                  <td className="px-3 py-1">{error.message}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </section>
  );
}
