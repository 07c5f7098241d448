// Runs a schedule's task now, beside its rhythm, and follows it to its end.
import { api, call } from '@tracker/shared/api/client.ts';
import { Button } from '@tracker/shared/ui/Button.tsx';
import { toast } from '@tracker/shared/ui/toast.tsx';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { Play } from 'lucide-react';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import type { Row } from '../resource/spec';
import { TaskProgress, isOver, useTask } from '../tasks/TaskProgress';

export function ScheduleActions({ row }: { row: Row }) {
  const { t } = useTranslation('admin');
  const queries = useQueryClient();
  const [taskId, setTaskId] = useState<string>();
  const task = useTask(taskId);
  const run = useMutation({
    mutationFn: () => call(api.POST('/api/v1/task-schedules/{id}/run', { params: { path: { id: row.id } } })),
    onSuccess: ({ task_id }) => {
      setTaskId(task_id);
      return queries.invalidateQueries({ queryKey: ['/api/v1/task-schedules'] });
    },
    onError: (error) => toast.error(error),
  });
  const busy = run.isPending || (taskId !== undefined && !isOver(task.data));
  return (
    <>
      {task.data && <TaskProgress task={task.data} />}
      <Button busy={busy} onClick={() => run.mutate()}>
        {!busy && <Play aria-hidden className="size-4" />}
        {t('schedule.runNow')}
      </Button>
    </>
  );
}
