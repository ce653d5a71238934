/** What Failing is compiled with. In its jar is another version, without the method. */
final class Library {
    private Library() {}

    static Long answer(Long number) {
        return number;
    }
}
