// One image as large as the window: arrow keys, swipes and buttons go to the next, Escape closes (Radix).
import { ChevronLeft, ChevronRight, Download, X } from 'lucide-react';
import { Dialog as Radix } from 'radix-ui';
import { useRef, type KeyboardEvent, type PointerEvent } from 'react';
import { useTranslation } from 'react-i18next';
import { IconButton } from '../ui/Button';
import { swipeOf } from './swipe';

interface LightboxProps {
  images: { url: string; original: string; label: string }[];
  /** Index of the image that is shown; undefined while closed. */
  shown: number | undefined;
  onShow: (index: number | undefined) => void;
}

export function Lightbox({ images, shown, onShow }: LightboxProps) {
  const { t } = useTranslation('shared');
  const began = useRef<{ x: number; y: number }>(undefined);
  const image = shown === undefined ? undefined : images[shown];
  const move = (by: number) => {
    const next = (shown ?? 0) + by;
    if (next >= 0 && next < images.length) onShow(next);
  };
  const onKey = (event: KeyboardEvent) => {
    if (event.key === 'ArrowLeft') move(-1);
    if (event.key === 'ArrowRight') move(1);
  };
  const onPointerUp = (event: PointerEvent) => {
    if (began.current) move(swipeOf(began.current, { x: event.clientX, y: event.clientY }));
    began.current = undefined;
  };
  const button = 'bg-black/50 text-white hover:bg-black/80';
  return (
    <Radix.Root open={image !== undefined} onOpenChange={(open) => !open && onShow(undefined)}>
      <Radix.Portal>
        <Radix.Overlay className="fixed inset-0 z-40 bg-black/90" />
        <Radix.Content
          aria-describedby={undefined}
          onKeyDown={onKey}
          onPointerDown={(event) => (began.current = { x: event.clientX, y: event.clientY })}
          onPointerUp={onPointerUp}
          className="fixed inset-0 z-50 flex touch-pan-y flex-col text-white outline-none"
        >
          <div className="flex items-center gap-2 p-2">
            <Radix.Title className="min-w-0 flex-1 truncate px-2">{image?.label}</Radix.Title>
            <a
              href={image?.original}
              download
              aria-label={t('images.original')}
              title={t('images.original')}
              className="inline-flex size-9 items-center justify-center rounded-md bg-black/50 hover:bg-black/80"
            >
              <Download aria-hidden className="size-5" />
            </a>
            <Radix.Close asChild>
              <IconButton className={button} label={t('action.close')} icon={<X aria-hidden className="size-5" />} />
            </Radix.Close>
          </div>
          <div className="relative min-h-0 flex-1">
            {image && (
              <img
                src={image.url}
                alt={image.label}
                draggable={false}
                className="size-full object-contain select-none"
              />
            )}
            <div className="pointer-events-none absolute inset-0 flex items-center justify-between p-2 *:pointer-events-auto">
              <IconButton
                className={button}
                label={t('images.previous')}
                disabled={shown === 0}
                icon={<ChevronLeft aria-hidden className="size-6" />}
                onClick={() => move(-1)}
              />
              <IconButton
                className={button}
                label={t('images.next')}
                disabled={shown === images.length - 1}
                icon={<ChevronRight aria-hidden className="size-6" />}
                onClick={() => move(1)}
              />
            </div>
          </div>
        </Radix.Content>
      </Radix.Portal>
    </Radix.Root>
  );
}
