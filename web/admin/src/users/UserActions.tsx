// What can be done with a user beside editing: send the link with which a password is chosen.
import { api, call } from '@tracker/shared/api/client.ts';
import { Button } from '@tracker/shared/ui/Button.tsx';
import { toast } from '@tracker/shared/ui/toast.tsx';
import { useMutation } from '@tanstack/react-query';
import { Mail } from 'lucide-react';
import { useTranslation } from 'react-i18next';
import type { Row } from '../resource/spec';

export function UserActions({ row }: { row: Row }) {
  const { t } = useTranslation('admin');
  const send = useMutation({
    mutationFn: () => call(api.POST('/api/v1/users/{id}/password-link', { params: { path: { id: row.id } } })),
    onSuccess: () => toast.success(t('user.linkSent', { email: row.email as string })),
    onError: (error) => toast.error(error),
  });
  return (
    <Button busy={send.isPending} onClick={() => send.mutate()}>
      <Mail aria-hidden className="size-4" />
      {t(row.has_password ? 'user.sendLink' : 'user.invite')}
    </Button>
  );
}
