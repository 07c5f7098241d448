// The images of a thing: small ones in a grid, one large on click, and for those who may: drop files to add, caption, order, remove.
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { ImagePlus, Pencil, Trash2 } from 'lucide-react';
import { useRef, useState, type DragEvent } from 'react';
import { useTranslation } from 'react-i18next';
import { api, call } from '../api/client';
import type { Image } from '../api/schema';
import { Button, IconButton } from '../ui/Button';
import { cn } from '../ui/cn';
import { confirm } from '../ui/confirm';
import { Await, Empty } from '../ui/states';
import { toast } from '../ui/toast';
import { ImageDialog } from './ImageDialog';
import { Lightbox } from './Lightbox';
import { nextPosition } from './order';
import { IMAGE_TYPES, IMAGES, MAX_IMAGE_BYTES, uploadImage, type Owner } from './upload';

/** The addresses in an answer end after some hours; an open page asks for new ones long before. */
const RENEW_MS = 30 * 60_000;

interface GalleryProps {
  owner: Owner;
  /** What it shows images of, for readers who cannot see them. */
  name: string;
  mayChange: boolean;
}

export function Gallery({ owner, name, mayChange }: GalleryProps) {
  const { t } = useTranslation('shared');
  const [shown, setShown] = useState<number>();
  const [edited, setEdited] = useState<number>();
  const query = { owner_kind: owner.kind, owner_id: String(owner.id), limit: 200 };
  const images = useQuery({
    queryKey: [IMAGES, owner],
    queryFn: ({ signal }) => call(api.GET(IMAGES, { params: { query }, signal })),
    refetchInterval: RENEW_MS,
  });
  return (
    <div className="flex flex-col gap-4">
      {mayChange && <Upload owner={owner} position={nextPosition(images.data?.items ?? [])} />}
      <Await query={images}>
        {({ items }) => (
          <>
            {items.length === 0 && <Empty title={t('images.none')} />}
            <ul className="grid grid-cols-2 gap-3 sm:grid-cols-3 xl:grid-cols-4">
              {items.map((image, index) => (
                <Thumbnail
                  key={image.id}
                  image={image}
                  label={imageLabel(t, image, index, items.length, name)}
                  mayChange={mayChange}
                  onOpen={() => setShown(index)}
                  onEdit={() => setEdited(index)}
                />
              ))}
            </ul>
            <Lightbox
              images={items.map((image, index) => ({
                url: image.urls['1280'],
                original: image.urls.original,
                label: imageLabel(t, image, index, items.length, name),
              }))}
              shown={shown}
              onShow={setShown}
            />
            {edited !== undefined && <ImageDialog images={items} index={edited} onClose={() => setEdited(undefined)} />}
          </>
        )}
      </Await>
    </div>
  );
}

function imageLabel(
  t: (key: 'images.label', values: Record<string, unknown>) => string,
  image: Image,
  index: number,
  count: number,
  name: string,
): string {
  return image.caption || t('images.label', { number: index + 1, count, name });
}

interface ThumbnailProps {
  image: Image;
  label: string;
  mayChange: boolean;
  onOpen: () => void;
  onEdit: () => void;
}

function Thumbnail({ image, label, mayChange, onOpen, onEdit }: ThumbnailProps) {
  const { t } = useTranslation('shared');
  const queries = useQueryClient();
  const remove = useMutation({
    mutationFn: () => call(api.DELETE('/api/v1/images/{id}', { params: { path: { id: image.id } } })),
    onSuccess: () => queries.invalidateQueries({ queryKey: [IMAGES] }),
    onError: (error) => toast.error(error),
  });
  const ask = async () => {
    const question = { title: t('images.removeTitle', { name: label }), text: t('confirm.deleteText') };
    if (await confirm({ ...question, act: t('action.delete'), danger: true })) remove.mutate();
  };
  return (
    <li className="relative">
      <button type="button" onClick={onOpen} className="block w-full overflow-hidden rounded-lg border border-line">
        <img src={image.urls['320']} alt={label} loading="lazy" className="aspect-square w-full object-cover" />
      </button>
      {image.caption && <p className="pt-1 text-sm break-words text-muted">{image.caption}</p>}
      {mayChange && (
        <div className="absolute top-1.5 right-1.5 flex gap-1.5">
          <IconButton
            label={t('images.editOf', { name: label })}
            icon={<Pencil aria-hidden className="size-4" />}
            onClick={onEdit}
            className="bg-surface"
          />
          <IconButton
            label={t('images.remove', { name: label })}
            disabled={remove.isPending}
            icon={<Trash2 aria-hidden className="size-4" />}
            onClick={() => void ask()}
            className="bg-surface"
          />
        </div>
      )}
    </li>
  );
}

interface Sending {
  name: string;
  part: number;
}

/** position: of the first new image; the others follow it. */
function Upload({ owner, position }: { owner: Owner; position: number }) {
  const { t } = useTranslation('shared');
  const queries = useQueryClient();
  const input = useRef<HTMLInputElement>(null);
  const [sending, setSending] = useState<Sending>();
  const [over, setOver] = useState(false);

  // One after the other: a phone's connection is not made faster by sharing it.
  const send = async (files: File[]) => {
    let next = position;
    for (const file of files) {
      if (file.size > MAX_IMAGE_BYTES) {
        toast.error(t('images.tooLarge', { name: file.name, max: MAX_IMAGE_BYTES / 1024 / 1024 }));
        continue;
      }
      setSending({ name: file.name, part: 0 });
      try {
        await uploadImage(owner, file, next++, (part) => setSending({ name: file.name, part }));
      } catch (error) {
        toast.error(error);
      }
    }
    setSending(undefined);
    await queries.invalidateQueries({ queryKey: [IMAGES] });
  };
  const drop = (event: DragEvent) => {
    event.preventDefault();
    setOver(false);
    if (!sending) void send([...event.dataTransfer.files]);
  };
  return (
    <div
      onDragOver={(event) => {
        event.preventDefault();
        setOver(true);
      }}
      onDragLeave={() => setOver(false)}
      onDrop={drop}
      className={cn(
        'flex flex-wrap items-center gap-3 rounded-lg border-2 border-dashed p-4',
        over ? 'border-accent' : 'border-line',
      )}
    >
      <input
        ref={input}
        type="file"
        multiple
        accept={IMAGE_TYPES}
        aria-label={t('images.add')}
        className="sr-only"
        tabIndex={-1}
        onChange={({ target }) => {
          void send([...(target.files ?? [])]);
          target.value = '';
        }}
      />
      <Button busy={sending !== undefined} onClick={() => input.current?.click()}>
        <ImagePlus aria-hidden className="size-4" />
        {t('images.add')}
      </Button>
      {sending ? (
        <label className="flex min-w-0 flex-1 items-center gap-2">
          <span className="truncate">{sending.name}</span>
          <progress value={sending.part} className="w-32" />
        </label>
      ) : (
        <p className="text-muted">{t('images.addHint', { max: MAX_IMAGE_BYTES / 1024 / 1024 })}</p>
      )}
    </div>
  );
}
