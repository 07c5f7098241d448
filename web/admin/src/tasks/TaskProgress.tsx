// Follows a task from its start to its end: what it does, how far it is, what came out.
import { api, call } from '@tracker/shared/api/client.ts';
import type { Task } from '@tracker/shared/api/schema.d.ts';
import { Badge, type Tone } from '@tracker/shared/ui/Badge.tsx';
import { useQuery } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';

export const taskTones: Record<Task['state'], Tone> = {
  scheduled: 'neutral',
  waiting: 'neutral',
  running: 'info',
  succeeded: 'success',
  failed: 'danger',
  dead: 'danger',
  cancelled: 'warning',
};

const OVER = new Set<Task['state']>(['succeeded', 'failed', 'dead', 'cancelled']);
/** Live events say it sooner; this is for when there is no connection. */
const POLL_MS = 2000;

export function isOver(task: Task | undefined): boolean {
  return task !== undefined && OVER.has(task.state);
}

export function useTask(id: string | undefined) {
  return useQuery({
    queryKey: ['/api/v1/tasks', id],
    enabled: id !== undefined,
    queryFn: ({ signal }) => call(api.GET('/api/v1/tasks/{id}', { params: { path: { id: id ?? '' } }, signal })),
    refetchInterval: ({ state }) => (isOver(state.data) ? false : POLL_MS),
  });
}

interface Progress {
  done?: number;
  total?: number | null;
  message?: string;
}

export function TaskState({ task }: { task: Task }) {
  const { t } = useTranslation('admin');
  return <Badge tone={taskTones[task.state]}>{t(`task.state.${task.state}`)}</Badge>;
}

export function TaskProgress({ task }: { task: Task }) {
  const progress = task.progress as Progress | null;
  const error = task.error as { code?: string; message?: string } | null;
  return (
    <div role="status" className="flex flex-col gap-1">
      <div className="flex flex-wrap items-center gap-2">
        <TaskState task={task} />
        {progress?.message && <span>{progress.message}</span>}
        {error && <span className="text-danger">{error.message ?? error.code}</span>}
      </div>
      {task.state === 'running' && typeof progress?.total === 'number' && (
        <progress className="w-full" aria-label={task.name} value={progress.done ?? 0} max={progress.total} />
      )}
    </div>
  );
}
