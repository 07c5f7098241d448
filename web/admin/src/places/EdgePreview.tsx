// What a changed shape would do to the trackers' histories, before it is saved.
import { request } from '@tracker/shared/api/client.ts';
import { StatusBadge, type Status } from '@tracker/shared/ui/Badge.tsx';
import { Button } from '@tracker/shared/ui/Button.tsx';
import { Time } from '@tracker/shared/ui/Time.tsx';
import { toast } from '@tracker/shared/ui/toast.tsx';
import { Link } from '@tanstack/react-router';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { listPath, type ResourceSpec } from '../resource/spec';
import { isOver, TaskProgress, useTask } from '../tasks/TaskProgress';

interface EdgePreviewProps {
  spec: ResourceSpec;
  id: number;
  /** The shape as in a PATCH. */
  body: Record<string, unknown>;
}

export function EdgePreview({ spec, id, body }: EdgePreviewProps) {
  const { t } = useTranslation('admin');
  const [taskId, setTaskId] = useState<string>();
  const task = useTask(taskId);
  const start = async () => {
    try {
      const { data } = await request<{ task_id: string }>('POST', `${listPath(spec)}/${id}/preview`, body);
      setTaskId(data.task_id);
    } catch (error) {
      toast.error(error);
    }
  };
  return (
    <div className="flex flex-col gap-2">
      <Button className="self-start" busy={taskId !== undefined && !isOver(task.data)} onClick={() => void start()}>
        {t('place.preview')}
      </Button>
      {task.data && <TaskProgress task={task.data} />}
      {task.data?.state === 'succeeded' && <Outcome result={task.data.result} />}
    </div>
  );
}

/** As the task judge.preview_place answers. */
interface Preview {
  trackers: number;
  trackers_changed: number;
  rows: number;
  complete: boolean;
  changes: { tracker_id: number; at: string; change: 'remove' | 'add'; table: string; row: { status?: Status } }[];
}

const LISTED = 20;

function Outcome({ result }: { result: unknown }) {
  const { t } = useTranslation('admin');
  const preview = result as Preview;
  // Events change along with the statuses and tell nothing more.
  const statuses = preview.changes.filter((change) => change.table === 'status_history');
  if (preview.trackers_changed === 0)
    return <p role="status">{t('place.nothingChanges', { count: preview.trackers })}</p>;
  return (
    <div role="status" className="flex flex-col gap-1">
      <p>{t('place.changes', { count: preview.trackers, changed: preview.trackers_changed, rows: preview.rows })}</p>
      {!preview.complete && <p className="text-warning">{t('place.incomplete')}</p>}
      <ul className="max-h-48 overflow-y-auto text-xs">
        {statuses.slice(0, LISTED).map((change, index) => (
          <li key={index} className="flex flex-wrap items-center gap-2 py-0.5">
            <span aria-hidden>{change.change === 'add' ? '+' : '−'}</span>
            <span className="sr-only">{t(change.change === 'add' ? 'place.added' : 'place.removed')}</span>
            <Link
              to={'/trackers/$id' as never}
              params={{ id: String(change.tracker_id) } as never}
              className="text-link underline"
            >
              #{change.tracker_id}
            </Link>
            {change.row.status && <StatusBadge status={change.row.status} />}
            <Time value={change.at} exact />
          </li>
        ))}
      </ul>
    </div>
  );
}
