// Provider profiles: which one is in use.
import { api, call } from '@tracker/shared/api/client.ts';
import { Button } from '@tracker/shared/ui/Button.tsx';
import { confirm } from '@tracker/shared/ui/confirm.tsx';
import { toast } from '@tracker/shared/ui/toast.tsx';
import { useQueryClient } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';
import type { Row } from '../resource/spec';

export function ProfileActions({ row }: { row: Row }) {
  const { t } = useTranslation('admin');
  const queries = useQueryClient();
  const params = { params: { path: { id: row.id } } };
  const run = async () => {
    const verb = row.active ? 'deactivate' : 'activate';
    const name = row.name as string;
    if (
      !(await confirm({
        title: t(`profile.${verb}Title`, { name }),
        text: t(`profile.${verb}Text`),
        act: t(`profile.${verb}`),
      }))
    )
      return;
    try {
      await (verb === 'activate'
        ? call(api.POST('/api/v1/provider-profiles/{id}/activate', params))
        : call(api.POST('/api/v1/provider-profiles/{id}/deactivate', params)));
      await queries.invalidateQueries({ queryKey: ['/api/v1/provider-profiles'] });
    } catch (error) {
      toast.error(error);
    }
  };
  return <Button onClick={() => void run()}>{t(row.active ? 'profile.deactivate' : 'profile.activate')}</Button>;
}
