import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HexFormat;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import javax.smartcardio.Card;
import javax.smartcardio.CardChannel;
import javax.smartcardio.CardException;
import javax.smartcardio.CardTerminal;
import javax.smartcardio.CommandAPDU;
import javax.smartcardio.ResponseAPDU;
import javax.smartcardio.TerminalFactory;

/**
 * Change or reset the PIN of a social security card in a PC/SC reader, with javax.smartcardio (Java 17).
 *
 * <pre>
 * java -Dsun.security.smartcardio.library=/usr/lib/x86_64-linux-gnu/libpcsclite.so.1 Pin.java READER change OLD NEW
 * java -Dsun.security.smartcardio.library=/usr/lib/x86_64-linux-gnu/libpcsclite.so.1 Pin.java READER reset NEW
 * </pre>
 *
 * READER is a name as PC/SC lists it. A reset asks the HSM service at SSCARD_HSM (default http://127.0.0.1:8440,
 * started by "sscard hsm serve"), with the token in the file SSCARD_HSM_TOKEN. Exits 1 if the card refuses. PINs on
 * the command line are for test cards.
 */
public final class Pin {
    private static final HexFormat HEX = HexFormat.of().withUpperCase();
    private static final byte[] SSSE = HEX.parseHex("7378312E73682EC9E7BBE1B1A3D5CF");
    private static final String NAMES_ALGORITHM = "9F0C038601";
    private static final int DES = 1;
    private static final int SSF33 = 2;
    private static final int SM4 = 3;

    private final CardChannel channel;
    private final String serial;

    private Pin(Card card) {
        channel = card.getBasicChannel();
        byte[] historical = card.getATR().getHistoricalBytes();
        serial = HEX.formatHex(historical, 5, 13);
    }

    /** The data of an answer with 9000; the library fetches data that waits (61xx) and repeats a wrong Le (6Cxx). */
    private byte[] send(byte... command) throws CardException {
        ResponseAPDU answer = channel.transmit(new CommandAPDU(command));
        if (answer.getSW() != 0x9000) {
            System.err.printf("the card refused INS %02X: %04X%n", command[1], answer.getSW());
            System.exit(1);
        }
        return answer.getData();
    }

    private byte[] send(String command) throws CardException {
        return send(HEX.parseHex(command));
    }

    private byte[] send(String header, String data) throws CardException {
        return send(header + "%02X".formatted(data.length() / 2) + data);
    }

    private String challenge() throws CardException {
        return HEX.formatHex(send("0084000008"));
    }

    /** 4 to 16 digits as BCD, an odd number filled with F. */
    private static String encodePin(String pin) {
        return pin + "F".repeat(pin.length() % 2);
    }

    /** An operation of the HSM service: POST /v1/OPERATION, answered by {"result": …} or {"error": …}. */
    private static String askHsm(String operation, String fields) throws IOException, InterruptedException {
        String url = System.getenv().getOrDefault("SSCARD_HSM", "http://127.0.0.1:8440");
        String token = Files.readString(Path.of(System.getenv("SSCARD_HSM_TOKEN"))).strip();
        HttpRequest request = HttpRequest.newBuilder(URI.create(url + "/v1/" + operation))
                .header("Authorization", "Bearer " + token)
                .POST(HttpRequest.BodyPublishers.ofString("{" + fields + "}"))
                .build();
        String body = HttpClient.newHttpClient().send(request, HttpResponse.BodyHandlers.ofString()).body();
        Matcher result = Pattern.compile("\"result\": \"(\\w+)\"").matcher(body);
        if (!result.find()) {
            System.err.println("the HSM refused: " + body);
            System.exit(1);
        }
        return result.group(1);
    }

    /** Two challenges, the proof of PUK, a challenge, the enciphered new PIN under the MAC of STK. */
    private void reset(String fci, String pin) throws CardException, IOException, InterruptedException {
        send("00A4020002EF05");
        String city = HEX.formatHex(send("00B2010000")).substring(4, 10);
        int mark = fci.indexOf(NAMES_ALGORITHM) + NAMES_ALGORITHM.length();
        int unnamed = city.startsWith("11") ? SSF33 : DES; // SSF33 is not public: the HSM refuses it
        int algorithm = fci.contains(NAMES_ALGORITHM) ? Integer.parseInt(fci.substring(mark, mark + 2), 16) : unnamed;
        String card = "\"algorithm\": %d, \"city_code\": \"%s\", \"serial\": \"%s\"".formatted(algorithm, city, serial);

        String address = askHsm("address-of", "\"key\": \"PUK\"");
        String original = challenge();
        String fields = "%s, \"address\": \"%s\", \"original\": \"%s\", \"factor\": \"%s\"";
        send("00820006", askHsm("authentication-data", fields.formatted(card, address, original, challenge())));

        int block = algorithm == SM4 ? 16 : 8;
        int enciphered = (pin.length() / 2 + block) / block * block;
        address = askHsm("address-of", "\"key\": \"STK\"");
        fields = "%s, \"address\": \"%s\", \"factor\": \"%s\", \"header\": \"84240001%02X\", \"pin\": \"%s\"";
        send(askHsm("safe-message", fields.formatted(card, address, challenge(), enciphered + 4, pin)));
    }

    /** Does the operation, then tries the new PIN. */
    public static void main(String[] words) throws Exception {
        boolean changing = words.length == 4 && words[1].equals("change");
        if (!changing && !(words.length == 3 && words[1].equals("reset"))) {
            System.err.println("usage: Pin READER change OLD NEW | Pin READER reset NEW");
            System.exit(2);
        }
        CardTerminal terminal = TerminalFactory.getDefault().terminals().getTerminal(words[0]);
        if (terminal == null) {
            System.err.println("no reader " + words[0]);
            System.exit(1);
        }
        Card card = terminal.connect("*");
        Pin pin = new Pin(card);
        String fci = HEX.formatHex(pin.send("00A40400", HEX.formatHex(SSSE)));
        String fresh = encodePin(words[words.length - 1]);
        if (changing) {
            pin.send("805E0100", encodePin(words[2]) + "FF" + fresh);
        } else {
            pin.reset(fci, fresh);
        }
        pin.send("00200000", fresh);
        System.out.printf("PIN %s: done%n", words[1]);
        card.disconnect(true);
    }
}
