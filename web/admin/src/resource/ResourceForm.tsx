// Creates or edits a row, in the form of its resource.
import { request } from '@tracker/shared/api/client.ts';
import { Dialog } from '@tracker/shared/ui/Dialog.tsx';
import { Await } from '@tracker/shared/ui/states.tsx';
import { useQuery } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';
import { FieldsForm } from './FieldsForm';
import { listPath, rowTitle, type FormProps, type Row } from './spec';

export function ResourceForm(props: Omit<FormProps, 'etag' | 'onReload'>) {
  const { spec, row, onClose } = props;
  const { t } = useTranslation('admin');
  const Form = spec.Form ?? FieldsForm;
  // Edited is what the server has now, with its version, not what a list showed a while ago.
  const fresh = useQuery({
    // Not among the lists' keys: a live event must not take away what is being typed.
    queryKey: ['edit', listPath(spec), row?.id],
    enabled: row !== undefined,
    gcTime: 0,
    staleTime: Infinity,
    queryFn: () => request<Row>('GET', `${listPath(spec)}/${row?.id}`),
  });
  if (!row) return <Form {...props} />;
  if (fresh.data) {
    const { data, etag } = fresh.data;
    return <Form key={etag} {...props} row={data} etag={etag} onReload={() => void fresh.refetch()} />;
  }
  return (
    <Dialog open title={t('form.edit', { name: rowTitle(spec, row) })} onClose={onClose}>
      <Await query={fresh}>{() => null}</Await>
    </Dialog>
  );
}
