// Caption and place of one image of a gallery.
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { api, call } from '../api/client';
import type { Image } from '../api/schema';
import { Button } from '../ui/Button';
import { Dialog } from '../ui/Dialog';
import { Field } from '../ui/Field';
import { Input, Select } from '../ui/Input';
import { toast } from '../ui/toast';
import { reordered } from './order';
import { IMAGES } from './upload';

/** The server's own limit. */
const MAX_CAPTION = 500;

interface ImageDialogProps {
  /** The whole gallery, as it is shown. */
  images: Image[];
  index: number;
  onClose: () => void;
}

export function ImageDialog({ images, index, onClose }: ImageDialogProps) {
  const { t } = useTranslation('shared');
  const queries = useQueryClient();
  const image = images[index];
  const [caption, setCaption] = useState(image?.caption ?? '');
  const [place, setPlace] = useState(index);
  const save = useMutation({
    mutationFn: async () => {
      const changes = new Map<number, { caption?: string; position?: number }>();
      for (const { id, position } of reordered(images, index, place)) changes.set(id, { position });
      if (image && caption !== image.caption) changes.set(image.id, { ...changes.get(image.id), caption });
      for (const [id, body] of changes)
        await call(api.PATCH('/api/v1/images/{id}', { params: { path: { id } }, body }));
    },
    onSuccess: onClose,
    onError: (error) => toast.error(error),
    onSettled: () => queries.invalidateQueries({ queryKey: [IMAGES] }),
  });
  return (
    <Dialog open title={t('images.edit')} onClose={onClose}>
      <form
        noValidate
        className="flex flex-col gap-4"
        onSubmit={(event) => {
          event.preventDefault();
          save.mutate();
        }}
      >
        <Field label={t('images.caption')}>
          {(props) => (
            <Input
              {...props}
              value={caption}
              maxLength={MAX_CAPTION}
              onChange={(event) => setCaption(event.target.value)}
            />
          )}
        </Field>
        <Field label={t('images.place')} required>
          {(props) => (
            <Select
              {...props}
              value={String(place)}
              onChange={(event) => setPlace(Number(event.target.value))}
              options={images.map((_image, at) => ({ value: String(at), label: String(at + 1) }))}
            />
          )}
        </Field>
        <div className="flex flex-wrap justify-end gap-2">
          <Button onClick={onClose}>{t('action.cancel')}</Button>
          <Button type="submit" variant="primary" busy={save.isPending}>
            {t('action.save')}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
